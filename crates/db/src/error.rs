use kit::{Certainty, Code, ErrorReason, Failure};
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgDatabaseError;
use std::time::Duration;

/// What a database error means to the caller. Whatever comes out of [`Db::run`](crate::Db::run) other than
/// `OutcomeUnknown` and `Timeout` was rolled back: nothing happened.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No session or no room just now, or too many conflicts in a row. Nothing was done; try again later.
    #[error("the database is busy or away")]
    Busy,
    /// COMMIT was sent and its answer never came. Repeat with the same key.
    #[error("the database did not answer a commit")]
    OutcomeUnknown,
    /// The deadline passed while the work went on. After `run` the outcome is unknown, after `read` nothing was done.
    #[error("the database did not answer in time")]
    Timeout,
    /// A rule of the schema refused the change. The name is the constraint's; for NOT NULL it is the column's.
    #[error("constraint {name} was violated ({kind:?})")]
    Constraint { name: String, kind: ConstraintKind },
    /// A value that the column's type cannot hold: too long, out of range, malformed.
    #[error("a value does not fit its column")]
    Invalid(#[source] sqlx::Error),
    /// Everything else: a fault of ours.
    #[error("database error")]
    Other(#[source] sqlx::Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    Unique,
    Foreign,
    Check,
    NotNull,
    Exclusion,
}

/// Lets [`Db::run`](crate::Db::run) look into a service's error and see whether to try again.
pub trait AsDbError {
    /// The database error this error is made of, if it is.
    fn as_db_error(&self) -> Option<&DbError>;
}

impl AsDbError for DbError {
    fn as_db_error(&self) -> Option<&DbError> {
        Some(self)
    }
}

impl DbError {
    /// The violated constraint's name (for NOT NULL: the column's).
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether the same work may well succeed at once: it met another transaction, or its session broke before COMMIT.
    pub(crate) fn is_transient(&self) -> bool {
        let conflict = match self {
            Self::Other(sqlx::Error::Database(error)) => matches!(
                sqlstate(error.as_ref()).as_str(),
                "40001" | "40P01" | "55P03"
            ),
            _ => false,
        };
        conflict || self.is_session_lost()
    }

    /// Whether the session broke: what was sent last may or may not have been carried out.
    pub(crate) fn is_session_lost(&self) -> bool {
        match self {
            Self::Other(sqlx::Error::Database(error)) => is_session_end(error.as_ref()),
            Self::Other(error) => matches!(
                error,
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed
            ),
            _ => false,
        }
    }
}

fn sqlstate(error: &dyn DatabaseError) -> String {
    error.code().unwrap_or_default().into_owned()
}

/// The server ended the session (shutdown, crash of another process, idle in transaction): what was sent last may or
/// may not have been carried out.
pub(crate) fn is_session_end(error: &dyn DatabaseError) -> bool {
    let code = sqlstate(error);
    code.starts_with("08") || matches!(code.as_str(), "57P01" | "57P02" | "57P03" | "25P03")
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let database = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => return Self::Busy,
            sqlx::Error::Database(database) => database,
            _ => return Self::Other(error),
        };
        if let Some(kind) = constraint_kind(&database.kind()) {
            return Self::Constraint {
                name: constraint_name(database.as_ref()),
                kind,
            };
        }
        match sqlstate(database.as_ref()).get(..2) {
            Some("22") => Self::Invalid(error),
            // Out of sessions, memory or disk; a statement that ran into its time limit.
            Some("53") => Self::Busy,
            Some("57") if !is_session_end(database.as_ref()) => Self::Busy,
            _ => Self::Other(error),
        }
    }
}

fn constraint_kind(kind: &ErrorKind) -> Option<ConstraintKind> {
    match kind {
        ErrorKind::UniqueViolation => Some(ConstraintKind::Unique),
        ErrorKind::ForeignKeyViolation => Some(ConstraintKind::Foreign),
        ErrorKind::CheckViolation => Some(ConstraintKind::Check),
        ErrorKind::NotNullViolation => Some(ConstraintKind::NotNull),
        ErrorKind::ExclusionViolation => Some(ConstraintKind::Exclusion),
        _ => None,
    }
}

fn constraint_name(error: &dyn DatabaseError) -> String {
    let column = || {
        error
            .try_downcast_ref::<PgDatabaseError>()
            .and_then(PgDatabaseError::column)
    };
    error
        .constraint()
        .or_else(column)
        .unwrap_or_default()
        .to_owned()
}

impl From<&DbError> for Failure {
    fn from(error: &DbError) -> Self {
        match error {
            DbError::Busy => {
                let mut failure = Self::refused(
                    Code::Unavailable,
                    ErrorReason::Overloaded,
                    "Please try again in a moment.",
                );
                failure.retry_after = Some(Duration::from_secs(1));
                failure
            }
            DbError::OutcomeUnknown | DbError::Timeout => Self::outcome_unknown(),
            DbError::Constraint { .. } => rolled_back(error.to_string()),
            DbError::Invalid(source) | DbError::Other(source) => {
                rolled_back(format!("{error}: {source}"))
            }
        }
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::from(&error)
    }
}

fn rolled_back(for_the_log: String) -> Failure {
    let mut failure = Failure::internal(for_the_log);
    failure.certainty = Certainty::NotDone;
    failure
}
