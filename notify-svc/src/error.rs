//! How this service fails: reason, code and certainty side by side.

use db::DbError;
use kit::{Failure, FieldProblem};
use tokio::task::JoinError;

use crate::render::RenderError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{} {}", .0.field, .0.rule)]
    Field(FieldProblem),
    #[error("rendering: {0}")]
    Render(#[from] RenderError),
    #[error("rendering: {0}")]
    Panic(#[from] JoinError),
    #[error("database: {0}")]
    Db(#[from] DbError),
}

impl Error {
    pub fn field(field: impl Into<String>, rule: impl ToString) -> Self {
        Self::Field(FieldProblem::new(field, rule))
    }

    fn failure(self) -> Failure {
        match self {
            Self::Field(problem) => kit::fields(vec![problem]),
            Self::Render(error) => Failure::internal(error),
            Self::Panic(error) => Failure::internal(error),
            Self::Db(error) => Failure::from(error),
        }
    }
}

impl db::AsDbError for Error {
    fn as_db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            Self::Field(_) | Self::Render(_) | Self::Panic(_) => None,
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        error.failure().into()
    }
}
