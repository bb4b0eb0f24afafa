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
    #[error("This idempotency key was used before with another body.")]
    IdempotencyKeyReused,
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("What was granted to you on this event is not enough for that.")]
    GrantTooSmall,
    #[error("It was changed meanwhile. Read it again.")]
    VersionMismatch { current: i64 },
    #[error("Not enough tickets are left.")]
    SoldOut(TicketTypeId),
    #[error("Others hold the last tickets. Some may come back in a few minutes.")]
    HeldByOthers(TicketTypeId),
    #[error("The sale of these tickets is interrupted. Try again later.")]
    SalesHalted(TicketTypeId),
    #[error("The sale has not begun yet.")]
    SalesNotStarted(TicketTypeId),
    #[error("The sale is over.")]
    SalesEnded(TicketTypeId),
    #[error("An order takes {min} to {max} of these tickets.")]
    LimitExceeded {
        ticket_type_id: TicketTypeId,
        min: i32,
        max: i32,
    },
    #[error("A guest may have {max} of these tickets, over all their orders.")]
    GuestLimitExceeded {
        ticket_type_id: TicketTypeId,
        max: i32,
    },
    #[error("Tickets of this event cannot be bought now.")]
    EventNotActive,
    #[error("An archived event is not changed. Take it out of the archive first.")]
    EventArchived,
    #[error("Tickets of it were held or sold.")]
    HasSales,
    #[error("The tickets are no longer held. Choose again.")]
    HoldExpired,
    #[error("The stock cannot be less than what is held, sold and blocked.")]
    CapacityTooSmall,
    #[error("The total is another one.")]
    TotalChanged { total: Money },
    #[error("These tickets belong to an order. Cancel the order instead.")]
    PaymentInProgress,
    #[error("This order can no longer be paid.")]
    OrderNotOpen,
    #[error("This event cannot be paid in that way.")]
    ProviderNotEnabled,
    #[error("Fewer valid tickets than that are left.")]
    RefundTooLarge,
    #[error("This ticket is not valid any more.")]
    TicketNotValid,
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

    /// The same for somebody else who has part in one piece of work.
    pub fn again(&self) -> Self {
        match *self {
            Self::NotFound(what) => Self::NotFound(what),
            Self::SoldOut(id) => Self::SoldOut(id),
            Self::HeldByOthers(id) => Self::HeldByOthers(id),
            Self::SalesHalted(id) => Self::SalesHalted(id),
            Self::SalesNotStarted(id) => Self::SalesNotStarted(id),
            Self::SalesEnded(id) => Self::SalesEnded(id),
            Self::EventNotActive => Self::EventNotActive,
            Self::IdempotencyKeyReused => Self::IdempotencyKeyReused,
            Self::LimitExceeded {
                ticket_type_id,
                min,
                max,
            } => Self::LimitExceeded {
                ticket_type_id,
                min,
                max,
            },
            Self::Fields(ref problems) => Self::Fields(problems.clone()),
            Self::Fault(what) => Self::Fault(what),
            Self::Db(DbError::Busy) => Self::Db(DbError::Busy),
            Self::Db(DbError::OutcomeUnknown) => Self::Db(DbError::OutcomeUnknown),
            Self::Db(DbError::Timeout) => Self::Db(DbError::Timeout),
            // The one who hears it in full tells the log.
            _ => Self::Fault("the work failed that this was a part of"),
        }
    }

    /// Code and reason, side by side; the sentence stands at the variant. A refusal means that nothing
    /// happened.
    pub fn failure(self) -> Failure {
        use {Code::FailedPrecondition as Refused, ErrorReason as Reason};
        let facts = self.facts();
        let sentence = self.to_string();
        let (code, reason) = match self {
            Self::Fields(problems) => return kit::fields(problems),
            Self::NotFound(what) => return Failure::not_found(what),
            Self::Db(error) => return error.into(),
            Self::Fault(what) => return Failure::internal(what),
            Self::Failure(failure) => return *failure,
            Self::IdempotencyKeyInvalid(_) => {
                (Code::InvalidArgument, Reason::IdempotencyKeyInvalid)
            }
            Self::GrantTooSmall => (Code::PermissionDenied, Reason::PermissionDenied),
            Self::IdempotencyKeyReused => (Code::AlreadyExists, Reason::IdempotencyKeyReused),
            Self::VersionMismatch { .. } => (Code::Aborted, Reason::VersionMismatch),
            Self::SoldOut(_) => (Refused, Reason::SoldOut),
            Self::HeldByOthers(_) => (Refused, Reason::HeldByOthers),
            Self::SalesHalted(_) => (Refused, Reason::SalesHalted),
            Self::SalesNotStarted(_) => (Refused, Reason::SalesNotStarted),
            Self::SalesEnded(_) => (Refused, Reason::SalesEnded),
            Self::LimitExceeded { .. } | Self::GuestLimitExceeded { .. } => {
                (Refused, Reason::LimitExceeded)
            }
            Self::EventArchived => (Refused, Reason::EventArchived),
            Self::HasSales => (Refused, Reason::HasSales),
            Self::EventNotActive => (Refused, Reason::EventNotActive),
            Self::HoldExpired => (Refused, Reason::HoldExpired),
            Self::CapacityTooSmall => (Refused, Reason::CapacityTooSmall),
            Self::TotalChanged { .. } => (Refused, Reason::TotalChanged),
            Self::PaymentInProgress => (Refused, Reason::PaymentInProgress),
            Self::OrderNotOpen => (Refused, Reason::OrderNotOpen),
            Self::ProviderNotEnabled => (Refused, Reason::ProviderNotEnabled),
            Self::RefundTooLarge => (Refused, Reason::RefundTooLarge),
            Self::TicketNotValid => (Refused, Reason::TicketNotValid),
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
            | Self::SalesHalted(id)
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
            Self::GuestLimitExceeded {
                ticket_type_id,
                max,
            } => vec![
                fact("ticket_type_id", ticket_type_id),
                fact("max_per_guest", max),
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
            "ticket_transfers_pkey" => {
                Self::field("transfer_id", "must be a transfer of this ticket")
            }
            "tickets_generation_in_limits" => Self::field("ticket_id", "was handed on too often"),
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
