//! How this service fails: reason, code and certainty side by side.

use base::IdempotencyKeyError;
use db::DbError;
use kit::{Code, ErrorReason, Failure, FieldProblem};
use tokio::task::JoinError;

use crate::render::RenderError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{} {}", .0.field, .0.rule)]
    Field(FieldProblem),
    #[error("fields of the request break a rule")]
    Fields(Vec<FieldProblem>),
    #[error(transparent)]
    KeyInvalid(#[from] IdempotencyKeyError),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("the grant on the event is not enough")]
    GrantTooSmall,
    #[error("the notification's state does not allow this")]
    NotificationNotOpen,
    #[error("another version is in force")]
    VersionMismatch,
    #[error("rendering: {0}")]
    Render(#[from] RenderError),
    #[error("rendering panicked")]
    Panic,
    #[error("database: {0}")]
    Db(#[from] DbError),
    /// Another member failed; its failure is passed on.
    #[error("a call failed: {}", .0.detail)]
    Call(Box<Failure>),
    #[error("{0}")]
    Broken(&'static str),
}

impl Error {
    pub fn field(field: impl Into<String>, rule: impl ToString) -> Self {
        Self::Field(FieldProblem::new(field, rule))
    }

    pub fn failure(self) -> Failure {
        match self {
            Self::Field(problem) => kit::fields(vec![problem]),
            Self::Fields(problems) => kit::fields(problems),
            Self::KeyInvalid(error) => Failure::refused(
                Code::InvalidArgument,
                ErrorReason::IdempotencyKeyInvalid,
                error.to_string(),
            ),
            Self::NotFound(what) => Failure::not_found(what),
            Self::GrantTooSmall => Failure::refused(
                Code::PermissionDenied,
                ErrorReason::PermissionDenied,
                "What was granted to you on this event is not enough for that.",
            ),
            Self::NotificationNotOpen => Failure::refused(
                Code::FailedPrecondition,
                ErrorReason::NotificationNotOpen,
                "The notification is in a state that does not allow this.",
            ),
            Self::VersionMismatch => Failure::refused(
                Code::Aborted,
                ErrorReason::VersionMismatch,
                "Another version is in force. Read it before you change it.",
            ),
            Self::Render(error) => Failure::internal(error),
            Self::Panic => Failure::panicked(),
            Self::Db(error) => Failure::from(error),
            Self::Call(failure) => *failure,
            Self::Broken(what) => Failure::internal(what),
        }
    }
}

impl db::AsDbError for Error {
    fn as_db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        error.failure().into()
    }
}

impl From<JoinError> for Error {
    /// It repeats what the panic said, which may be somebody's.
    fn from(_: JoinError) -> Self {
        Self::Panic
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Call(Box::new(failure))
    }
}

/// A call to another member failed.
impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        Failure::from_status(&status).into()
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}
