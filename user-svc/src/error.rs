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
    #[error("the password is right, and the account wants a code")]
    SecondFactorRequired,
    #[error("an API key that is wrong, revoked or expired")]
    InvalidKey,
    #[error("the session of the refresh token has ended")]
    SessionOver,
    #[error("the account of the token is gone or disabled")]
    AccountGone,
    #[error("an invitation or a link that is wrong, used or too old")]
    CodeInvalid,
    #[error("the address has an account")]
    AccountExists,
    #[error("the last superadmin must stay")]
    LastSuperadmin,
    #[error("this was tried too often")]
    TooOften(Duration),
    #[error("too many passwords wait to be checked")]
    Overloaded(#[from] Overloaded),
    #[error("database")]
    Database(#[from] DbError),
    #[error("a fault of ours")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
    #[error("{}", .0.detail)]
    Other(Failure),
}

const NO_SETUP_TOKEN: &str = "This is not the setup token.";
const NO_SETUP: &str = "The first account exists already, or setup is switched off.";
const WRONG: &str = "The e-mail address or the password is wrong.";
const CODE_NEEDED: &str = "Send the code of your authenticator, too, or a recovery code.";
const NO_KEY: &str = "This API key is not valid or has expired.";
const OVER: &str = "The session has ended. Sign in again.";
const GONE: &str = "This account does not exist any more or is disabled.";
const NO_LINK: &str = "This link is wrong, was used before, or is too old. Ask for a new one.";
const EXISTS: &str = "This address has an account already.";
const LAST: &str = "This is the last superadmin. Make somebody else one first.";
const TOO_OFTEN: &str = "This was tried too often. Wait a while.";
const CROWDED: &str = "Too many people are signing in. Please try again in a moment.";
const CROWDED_FOR: Duration = Duration::from_secs(2);

impl Error {
    /// Code, reason, certainty and sentence, side by side. Refusals are always "not done".
    fn failure(self) -> Failure {
        use Code::{FailedPrecondition as Precondition, InvalidArgument, Unauthenticated};
        use ErrorReason as Reason;
        let no = |code, reason, detail| Failure::refused(code, reason, detail);
        match self {
            Self::Invalid(problems) => kit::fields(problems),
            Self::WrongSetupToken => {
                no(Unauthenticated, Reason::InvalidCredentials, NO_SETUP_TOKEN)
            }
            Self::SetupNotAvailable => no(Precondition, Reason::SetupNotAvailable, NO_SETUP),
            Self::InvalidCredentials => no(Unauthenticated, Reason::InvalidCredentials, WRONG),
            Self::SecondFactorRequired => {
                no(Unauthenticated, Reason::SecondFactorRequired, CODE_NEEDED)
            }
            Self::InvalidKey => no(Unauthenticated, Reason::InvalidCredentials, NO_KEY),
            Self::SessionOver => no(Unauthenticated, Reason::Unauthenticated, OVER),
            Self::AccountGone => no(Unauthenticated, Reason::Unauthenticated, GONE),
            Self::CodeInvalid => no(InvalidArgument, Reason::CodeInvalid, NO_LINK),
            Self::AccountExists => no(Precondition, Reason::AccountExists, EXISTS),
            Self::LastSuperadmin => no(Precondition, Reason::LastSuperadmin, LAST),
            Self::TooOften(rest) => wait(TOO_OFTEN, rest),
            Self::Overloaded(Overloaded) => wait(CROWDED, CROWDED_FOR),
            Self::Database(error) => error.into(),
            Self::Internal(source) => Failure::internal(source),
            Self::Other(failure) => failure,
        }
    }
}

fn wait(detail: &str, rest: Duration) -> Failure {
    let (code, reason) = (Code::ResourceExhausted, ErrorReason::TooManyRequests);
    let mut failure = Failure::refused(code, reason, detail);
    failure.retry_after = Some(rest);
    failure
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
