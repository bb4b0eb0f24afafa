use base::IdempotencyKeyError;
use db::{AsDbError, DbError};
use kit::{Code, ErrorReason, Failure, FieldProblem};
use tonic::Status;

use crate::provider::ProviderError;

/// Everything that can go wrong here, and what the caller hears.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such order, or the secret is not its own")]
    OrderNotFound,
    #[error("there is no such payment session")]
    SessionNotFound,
    #[error("fields of the request break a rule")]
    Fields(Vec<FieldProblem>),
    #[error(transparent)]
    KeyInvalid(#[from] IdempotencyKeyError),
    #[error("the key was used with another body")]
    KeyReused,
    /// ticket-svc refused to bind the hold, now or when the order was placed.
    #[error("the hold was refused: {}", .0.detail)]
    Refused(Refusal),
    #[error("a payment of the order is open")]
    PaymentInProgress,
    #[error("the order has ended")]
    OrderNotOpen,
    #[error("the tickets are not ready")]
    TicketsNotReady,
    #[error("the provider is not enabled")]
    ProviderNotEnabled,
    #[error("the webhook's signature is wrong")]
    SignatureInvalid,
    #[error("the payment provider did not answer: {0}")]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Db(#[from] DbError),
    /// Another member failed; its failure is passed on.
    #[error("a call failed: {}", .0.detail)]
    Call(Box<Failure>),
    #[error("{0}")]
    Broken(&'static str),
}

/// A business refusal, as it is answered and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub reason: ErrorReason,
    pub detail: String,
}

impl Error {
    pub fn failure(self) -> Failure {
        use Code::{AlreadyExists, FailedPrecondition, InvalidArgument};
        let refused = |code, reason, detail: &str| Failure::refused(code, reason, detail);
        match self {
            Self::OrderNotFound => Failure::not_found("order"),
            Self::SessionNotFound => Failure::not_found("payment session"),
            Self::Fields(problems) => kit::fields(problems),
            Self::KeyInvalid(error) => refused(
                InvalidArgument,
                ErrorReason::IdempotencyKeyInvalid,
                &error.to_string(),
            ),
            Self::KeyReused => refused(
                AlreadyExists,
                ErrorReason::IdempotencyKeyReused,
                "This key was used with another request. Take a new one.",
            ),
            Self::Refused(refusal) => match refusal.reason {
                ErrorReason::NotFound => refused(Code::NotFound, refusal.reason, &refusal.detail),
                reason => refused(FailedPrecondition, reason, &refusal.detail),
            },
            Self::PaymentInProgress => refused(
                FailedPrecondition,
                ErrorReason::PaymentInProgress,
                "A payment of this order is open already.",
            ),
            Self::OrderNotOpen => refused(
                FailedPrecondition,
                ErrorReason::OrderNotOpen,
                "The order is not open any more.",
            ),
            Self::TicketsNotReady => refused(
                FailedPrecondition,
                ErrorReason::TicketsNotReady,
                "The tickets are not ready yet.",
            ),
            Self::ProviderNotEnabled => refused(
                InvalidArgument,
                ErrorReason::ProviderNotEnabled,
                "This payment provider is not enabled.",
            ),
            Self::SignatureInvalid => refused(
                InvalidArgument,
                ErrorReason::SignatureInvalid,
                "The signature is wrong.",
            ),
            Self::Provider(error) => {
                let mut failure = Failure::outcome_unknown();
                failure.source = Some(Box::new(error));
                failure
            }
            Self::Db(error) => error.into(),
            Self::Call(failure) => *failure,
            Self::Broken(what) => Failure::internal(what),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        error.failure().into_status()
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Call(Box::new(failure))
    }
}

/// A call to another member failed.
impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Failure::from_status(&status).into()
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
