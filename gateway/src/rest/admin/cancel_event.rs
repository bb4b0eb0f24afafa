use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::EventId;
use proto::ticket::CancelEventRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::version::{IfMatch, etag};
use crate::{
    app::Shared,
    extract::{AdminToken, Id, JsonOrEmpty},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults, Stale},
        types::AdminEvent,
    },
};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancellation {
    /// What guests are told; up to 500 characters.
    #[serde(default)]
    #[schema(example = "The band is ill.")]
    reason: String,
}

/// Cancels a concert for ever.
///
/// No later payment is answered with tickets, and the money of every order goes back;
/// `GET /api/v1/admin/events/{id}/refund` says how far that is. Repeating it changes nothing.
#[utoipa::path(post, path = "/api/v1/admin/events/{id}/cancel", tag = "admin",
    request_body(content = Option<Cancellation>),
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the decision is based on"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, body = AdminEvent, headers(("ETag" = String, description = "The version"))),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`EVENT_ARCHIVED`"),
        BadBody, AdminOnly, Absent, Stale, Faults
    ))]
pub async fn cancel_event(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    IfMatch(expected_version): IfMatch,
    JsonOrEmpty(cancellation): JsonOrEmpty<Cancellation>,
) -> Result<Response, Problem> {
    let request = token.request(CancelEventRequest {
        event_id: id.to_string(),
        expected_version,
        reason: cancellation.reason,
    });
    let mut catalog = app.upstreams.catalog_admin();
    let cancelled = catalog.cancel_event(request).await?.into_inner();
    let event = AdminEvent::required(cancelled.event)?;
    Ok((etag(event.version), Json(event)).into_response())
}
