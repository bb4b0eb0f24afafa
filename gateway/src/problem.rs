//! Failures as HTTP: the status of every reason in one table, and `application/problem+json`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kit::{Certainty, Code, ErrorReason, Failure};
use serde::Serialize;
use tonic::Status;
use utoipa::ToSchema;

use crate::{config::PublicUrl, error_pages};

pub const CONTENT_TYPE: &str = "application/problem+json";

/// The HTTP status of a reason.
pub fn status(reason: ErrorReason) -> StatusCode {
    use ErrorReason as R;
    match reason {
        R::MalformedBody | R::IdempotencyKeyInvalid | R::SignatureInvalid => {
            StatusCode::BAD_REQUEST
        }
        R::Unauthenticated | R::InvalidCredentials | R::SecondFactorRequired => {
            StatusCode::UNAUTHORIZED
        }
        R::PermissionDenied | R::CallerNotAllowed | R::CrossSiteRequest => StatusCode::FORBIDDEN,
        R::NotFound => StatusCode::NOT_FOUND,
        R::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        R::SoldOut
        | R::HeldByOthers
        | R::SalesNotStarted
        | R::SalesEnded
        | R::LimitExceeded
        | R::EventNotActive
        | R::HoldExpired
        | R::CapacityTooSmall
        | R::EventArchived
        | R::HasSales
        | R::SalesHalted
        | R::TicketNotValid
        | R::TotalChanged
        | R::PaymentInProgress
        | R::OrderNotOpen
        | R::TicketsNotReady
        | R::RefundTooLarge
        | R::OrderNotPaid
        | R::RefundNotOpen
        | R::ProviderCannot
        | R::CancellationClosed
        | R::TermsNotAccepted
        | R::NotificationNotOpen
        | R::AccountExists
        | R::LastSuperadmin
        | R::SetupNotAvailable => StatusCode::CONFLICT,
        R::VersionMismatch => StatusCode::PRECONDITION_FAILED,
        R::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        R::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        R::InvalidRequest | R::IdempotencyKeyReused | R::ProviderNotEnabled | R::CodeInvalid => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        R::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        R::Overloaded | R::Unavailable | R::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
        R::Internal | R::Unspecified => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A failed request. A handler answers it as it is; the edge renders it, because only the edge
/// knows the trace, the public address and whether a person or a program reads.
#[derive(Clone, Debug)]
pub struct Problem(pub Arc<Failure>);

impl Problem {
    pub fn reason(&self) -> ErrorReason {
        self.0.reason
    }

    /// A refusal by the edge itself.
    pub fn refused(reason: ErrorReason, detail: impl Into<String>) -> Self {
        Failure::refused(Code::FailedPrecondition, reason, detail).into()
    }

    /// The same problem for a request that changes nothing: whatever happened, nothing was done.
    pub fn of_read(self) -> Self {
        if self.reason() != ErrorReason::OutcomeUnknown {
            return self;
        }
        let after = self
            .0
            .retry_after
            .unwrap_or(std::time::Duration::from_secs(1));
        let detail = "This cannot be answered at the moment. Try again shortly.";
        Failure::unavailable(detail, after).into()
    }

    pub fn body(&self, public_url: &PublicUrl, trace_id: &str) -> ProblemBody {
        let failure = &self.0;
        let word = failure.reason.word();
        ProblemBody {
            kind: public_url.join(&format!("/errors/{word}")),
            title: error_pages::title(word).to_owned(),
            status: status(failure.reason).as_u16(),
            detail: failure.detail.clone(),
            reason: word.to_owned(),
            certainty: failure.certainty.into(),
            trace_id: trace_id.to_owned(),
            errors: failure
                .fields
                .iter()
                .map(|problem| FieldError {
                    field: problem.field.clone(),
                    detail: problem.rule.clone(),
                })
                .collect(),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self(Arc::new(failure))
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        Failure::from_status(&status).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = status(self.reason()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What went wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The page that explains the reason.
    #[serde(rename = "type")]
    #[schema(example = "https://tickets.example.org/errors/SOLD_OUT")]
    pub kind: String,
    #[schema(example = "Sold out")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// A sentence about this case.
    pub detail: String,
    /// A word of a closed list.
    #[schema(example = "SOLD_OUT")]
    pub reason: String,
    pub certainty: CertaintyWord,
    /// Names this request in the logs.
    pub trace_id: String,
    /// The fields that break a rule; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
}

/// A field of the request that breaks a rule.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldError {
    #[schema(example = "lines[0].quantity")]
    pub field: String,
    /// The rule, as a sentence that follows the field's name.
    #[schema(example = "must be between 1 and 10")]
    pub detail: String,
}

/// Whether the request had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertaintyWord {
    /// Nothing happened. Trying again is safe.
    NotDone,
    /// It had already happened before.
    Done,
    /// It may have happened. Repeat with the same key to learn which.
    Unknown,
}

impl From<Certainty> for CertaintyWord {
    fn from(certainty: Certainty) -> Self {
        match certainty {
            Certainty::NotDone => Self::NotDone,
            Certainty::Done => Self::Done,
            Certainty::Unknown | Certainty::Unspecified => Self::Unknown,
        }
    }
}
