use std::time::Duration;

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
    #[error("the provider does not do that")]
    ProviderCannot,
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("the grant on the event is not enough")]
    GrantTooSmall,
    #[error("more than is left")]
    RefundTooLarge,
    #[error("no money of the order is here")]
    OrderNotPaid,
    #[error("the refund's state does not allow this")]
    RefundNotOpen,
    #[error("the webhook's signature is wrong")]
    SignatureInvalid,
    #[error("the order cannot be cancelled for its money, or not any more")]
    CancellationClosed,
    /// This much goes back, and not what the guest was shown.
    #[error("another amount goes back")]
    RefundChanged(i64),
    #[error("the terms are not accepted")]
    TermsNotAccepted,
    #[error("the ticket is not valid any more")]
    TicketNotValid,
    #[error("the code is wrong, used or too old")]
    CodeInvalid,
    /// It may be done again after so long.
    #[error("too often")]
    TooOften(Duration),
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
    /// Further facts by name, for programs.
    pub facts: Vec<(String, String)>,
}

impl Error {
    pub fn failure(self) -> Failure {
        if let Some((code, reason, sentence)) = self.rule() {
            return Failure::refused(code, reason, sentence);
        }
        match self {
            Self::OrderNotFound => Failure::not_found("order"),
            Self::SessionNotFound => Failure::not_found("payment session"),
            Self::NotFound(what) => Failure::not_found(what),
            Self::GrantTooSmall => Failure::refused(
                Code::PermissionDenied,
                ErrorReason::PermissionDenied,
                "What was granted to you on this event is not enough for that.",
            ),
            Self::Fields(problems) => kit::fields(problems),
            Self::KeyInvalid(error) => Failure::refused(
                Code::InvalidArgument,
                ErrorReason::IdempotencyKeyInvalid,
                error.to_string(),
            ),
            Self::Refused(refusal) => {
                let code = match refusal.reason {
                    ErrorReason::NotFound => Code::NotFound,
                    _ => Code::FailedPrecondition,
                };
                let mut failure = Failure::refused(code, refusal.reason, refusal.detail);
                failure.facts = refusal.facts;
                failure
            }
            Self::RefundChanged(minor) => {
                let sentence = "Another amount goes back than was shown. Look at the order again.";
                let refused = Code::FailedPrecondition;
                Failure::refused(refused, ErrorReason::TotalChanged, sentence)
                    .with_fact("refund_minor", minor)
            }
            Self::TooOften(after) => {
                let sentence = "This was done too often. Wait a while, then try again.";
                let refused = Code::ResourceExhausted;
                let mut failure = Failure::refused(refused, ErrorReason::TooManyRequests, sentence);
                failure.retry_after = Some(after);
                failure
            }
            Self::Provider(error) => {
                let mut failure = Failure::outcome_unknown();
                failure.source = Some(Box::new(error));
                failure
            }
            Self::Db(error) => error.into(),
            Self::Call(failure) => *failure,
            Self::Broken(what) => Failure::internal(what),
            other => Failure::internal(other),
        }
    }

    /// The rules that a call may break, each with one sentence. A refusal means that nothing happened.
    fn rule(&self) -> Option<(Code, ErrorReason, &'static str)> {
        use {Code::FailedPrecondition as Refused, Code::InvalidArgument, ErrorReason as Reason};
        Some(match self {
            Self::KeyReused => {
                let sentence = "This key was used with another request. Take a new one.";
                (Code::AlreadyExists, Reason::IdempotencyKeyReused, sentence)
            }
            Self::PaymentInProgress => {
                let sentence = "A payment of this order is open already.";
                (Refused, Reason::PaymentInProgress, sentence)
            }
            Self::OrderNotOpen => {
                let sentence = "The order is not open any more.";
                (Refused, Reason::OrderNotOpen, sentence)
            }
            Self::TicketsNotReady => {
                let sentence = "This order has no valid tickets, or not yet.";
                (Refused, Reason::TicketsNotReady, sentence)
            }
            Self::ProviderNotEnabled => {
                let sentence = "This payment provider is not enabled.";
                (InvalidArgument, Reason::ProviderNotEnabled, sentence)
            }
            Self::ProviderCannot => {
                let sentence = "The provider of this payment does not do that.";
                (Refused, Reason::ProviderCannot, sentence)
            }
            Self::RefundTooLarge => {
                let sentence = "That is more than is left of the payment or of its tickets.";
                (Refused, Reason::RefundTooLarge, sentence)
            }
            Self::OrderNotPaid => {
                let sentence = "No money of this order is here that could be sent back.";
                (Refused, Reason::OrderNotPaid, sentence)
            }
            Self::RefundNotOpen => {
                let sentence = "The refund is in a state that does not allow this.";
                (Refused, Reason::RefundNotOpen, sentence)
            }
            Self::CancellationClosed => {
                let sentence = "This order cannot be cancelled, or not any more.";
                (Refused, Reason::CancellationClosed, sentence)
            }
            Self::TermsNotAccepted => {
                let sentence = "The order does not accept the terms as they are now.";
                (Refused, Reason::TermsNotAccepted, sentence)
            }
            Self::TicketNotValid => {
                let sentence = "This ticket is not valid any more, or is on its way to somebody.";
                (Refused, Reason::TicketNotValid, sentence)
            }
            Self::CodeInvalid => {
                let sentence = "The code is not right, was used, or is too old.";
                (InvalidArgument, Reason::CodeInvalid, sentence)
            }
            Self::SignatureInvalid => {
                let sentence = "The signature is wrong.";
                (InvalidArgument, Reason::SignatureInvalid, sentence)
            }
            _ => return None,
        })
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
