use std::{error::Error as StdError, time::Duration};

use db::{AsDbError, DbError};
use kit::{Code, ErrorReason, Failure, FieldProblem};
use tonic::Status;

use crate::passwords::Overloaded;

/// Every way in which an operation of this service fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("fields of the request break rules")]
    Invalid(Vec<FieldProblem>),
    #[error("wrong setup token")]
    WrongSetupToken,
    #[error("setup is closed")]
    SetupNotAvailable,
    #[error("wrong address or password")]
    InvalidCredentials,
    #[error("the account of the token is gone or disabled")]
    AccountGone,
    #[error("too many passwords wait to be checked")]
    Overloaded(#[from] Overloaded),
    #[error("database")]
    Database(#[from] DbError),
    #[error("a fault of ours")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
    #[error("{}", .0.detail)]
    Other(Failure),
}

impl Error {
    /// Code, reason, certainty and sentence, side by side. Refusals are always "not done".
    fn failure(self) -> Failure {
        use ErrorReason as Reason;
        match self {
            Self::Invalid(problems) => kit::fields(problems),
            Self::WrongSetupToken => Failure::refused(
                Code::Unauthenticated,
                Reason::InvalidCredentials,
                "This is not the setup token.",
            ),
            Self::SetupNotAvailable => Failure::refused(
                Code::FailedPrecondition,
                Reason::SetupNotAvailable,
                "The first account exists already, or setup is switched off.",
            ),
            Self::InvalidCredentials => Failure::refused(
                Code::Unauthenticated,
                Reason::InvalidCredentials,
                "The e-mail address or the password is wrong.",
            ),
            Self::AccountGone => Failure::refused(
                Code::Unauthenticated,
                Reason::Unauthenticated,
                "This account does not exist any more or is disabled.",
            ),
            Self::Overloaded(Overloaded) => {
                let mut failure = Failure::refused(
                    Code::ResourceExhausted,
                    Reason::TooManyRequests,
                    "Too many people are signing in. Please try again in a moment.",
                );
                failure.retry_after = Some(Duration::from_secs(2));
                failure
            }
            Self::Database(error) => error.into(),
            Self::Internal(source) => Failure::internal(source),
            Self::Other(failure) => failure,
        }
    }
}

impl AsDbError for Error {
    fn as_db_error(&self) -> Option<&DbError> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        error.failure().into_status()
    }
}
