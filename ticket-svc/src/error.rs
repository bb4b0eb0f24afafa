use base::{IdempotencyKeyError, Money, TicketTypeId};
use db::{AsDbError, DbError};
use kit::{Code, ErrorReason, Failure, FieldProblem};
use tonic::Status;

/// Every way in which a call to this service can fail.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the request breaks a rule: {0:?}")]
    Fields(Vec<FieldProblem>),
    #[error("{0}")]
    IdempotencyKeyInvalid(IdempotencyKeyError),
    #[error("the idempotency key was used with another body")]
    IdempotencyKeyReused,
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("the version is {current} by now")]
    VersionMismatch { current: i64 },
    #[error("{0} is sold out")]
    SoldOut(TicketTypeId),
    #[error("{0} is held by others")]
    HeldByOthers(TicketTypeId),
    #[error("{0} is not on sale yet")]
    SalesNotStarted(TicketTypeId),
    #[error("{0} is not on sale any more")]
    SalesEnded(TicketTypeId),
    #[error("An order takes {min} to {max} of these tickets.")]
    LimitExceeded {
        ticket_type_id: TicketTypeId,
        min: i32,
        max: i32,
    },
    #[error("the event is not active")]
    EventNotActive,
    #[error("the hold has ended")]
    HoldExpired,
    #[error("more than that is held, sold and blocked")]
    CapacityTooSmall,
    #[error("the total is {total}")]
    TotalChanged { total: Money },
    #[error("the hold is bound to an order")]
    PaymentInProgress,
    #[error("the order is not open")]
    OrderNotOpen,
    #[error("This event cannot be paid in that way.")]
    ProviderNotEnabled,
    #[error("Fewer valid tickets than that are left.")]
    RefundTooLarge,
    #[error(transparent)]
    Db(DbError),
    /// What must not be: stored facts that contradict each other.
    #[error("{0}")]
    Fault(&'static str),
    /// Made elsewhere, complete.
    #[error("{}", .0.detail)]
    Failure(Box<Failure>),
}

impl Error {
    /// One field that breaks one rule.
    pub fn field(field: impl Into<String>, rule: impl ToString) -> Self {
        Self::Fields(vec![FieldProblem::new(field, rule)])
    }

    /// Code, reason and sentence, side by side. A refusal means that nothing happened.
    pub fn failure(self) -> Failure {
        use {Code::FailedPrecondition as Refused, ErrorReason as Reason};
        let facts = self.facts();
        let detail = self.to_string();
        let (code, reason, sentence) = match self {
            Self::Fields(problems) => return kit::fields(problems),
            Self::NotFound(what) => return Failure::not_found(what),
            Self::Db(error) => return error.into(),
            Self::Fault(what) => return Failure::internal(what),
            Self::Failure(failure) => return *failure,
            Self::IdempotencyKeyInvalid(_) => (
                Code::InvalidArgument,
                Reason::IdempotencyKeyInvalid,
                detail.as_str(),
            ),
            Self::IdempotencyKeyReused => {
                let sentence = "This idempotency key was used before with another body.";
                (Code::AlreadyExists, Reason::IdempotencyKeyReused, sentence)
            }
            Self::VersionMismatch { .. } => {
                let sentence = "It was changed meanwhile. Read it again.";
                (Code::Aborted, Reason::VersionMismatch, sentence)
            }
            Self::SoldOut(_) => (Refused, Reason::SoldOut, "Not enough tickets are left."),
            Self::HeldByOthers(_) => {
                let sentence = "Others hold the last tickets. Some may come back in a few minutes.";
                (Refused, Reason::HeldByOthers, sentence)
            }
            Self::SalesNotStarted(_) => (
                Refused,
                Reason::SalesNotStarted,
                "The sale has not begun yet.",
            ),
            Self::SalesEnded(_) => (Refused, Reason::SalesEnded, "The sale is over."),
            Self::LimitExceeded { .. } => (Refused, Reason::LimitExceeded, detail.as_str()),
            Self::EventNotActive => {
                let sentence = "Tickets of this event cannot be bought now.";
                (Refused, Reason::EventNotActive, sentence)
            }
            Self::HoldExpired => {
                let sentence = "The tickets are no longer held. Choose again.";
                (Refused, Reason::HoldExpired, sentence)
            }
            Self::CapacityTooSmall => {
                let sentence = "The stock cannot be less than what is held, sold and blocked.";
                (Refused, Reason::CapacityTooSmall, sentence)
            }
            Self::TotalChanged { .. } => {
                (Refused, Reason::TotalChanged, "The total is another one.")
            }
            Self::PaymentInProgress => {
                let sentence = "These tickets belong to an order. Cancel the order instead.";
                (Refused, Reason::PaymentInProgress, sentence)
            }
            Self::OrderNotOpen => (
                Refused,
                Reason::OrderNotOpen,
                "This order can no longer be paid.",
            ),
            Self::ProviderNotEnabled => (Refused, Reason::ProviderNotEnabled, detail.as_str()),
            Self::RefundTooLarge => (Refused, Reason::RefundTooLarge, detail.as_str()),
        };
        Failure {
            facts,
            ..Failure::refused(code, reason, sentence)
        }
    }

    /// What a program needs to know of a refusal, by name.
    fn facts(&self) -> Vec<(String, String)> {
        let fact = |name: &str, value: &dyn ToString| (name.to_owned(), value.to_string());
        match self {
            Self::VersionMismatch { current } => vec![fact("version", current)],
            Self::SoldOut(id)
            | Self::HeldByOthers(id)
            | Self::SalesNotStarted(id)
            | Self::SalesEnded(id) => vec![fact("ticket_type_id", id)],
            Self::LimitExceeded {
                ticket_type_id,
                min,
                max,
            } => vec![
                fact("ticket_type_id", ticket_type_id),
                fact("min_per_order", min),
                fact("max_per_order", max),
            ],
            Self::TotalChanged { total } => vec![
                fact("total_minor", &total.amount_minor),
                fact("currency", &total.currency),
            ],
            _ => Vec::new(),
        }
    }

    /// The rules that the schema keeps, by the name of their constraint.
    fn from_constraint(name: &str) -> Option<Self> {
        Some(match name {
            "pools_capacity_not_exceeded" => Self::CapacityTooSmall,
            "holds_order_id_key" => Self::OrderNotOpen,
            "ticket_types_window_in_order" => Self::field("sales_end", "must be after sales_start"),
            "ticket_types_limits_in_order" => {
                Self::field("max_per_order", "must be between min_per_order and 100")
            }
            _ => return None,
        })
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        error
            .constraint()
            .and_then(Self::from_constraint)
            .unwrap_or(Self::Db(error))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

impl AsDbError for Error {
    fn as_db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        error.failure().into_status()
    }
}
