use axum::extract::State;
use base::EventId;
use http::StatusCode;
use proto::ticket::DeleteEventRequest;

use super::version::IfMatch;
use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::{Problem, ProblemBody},
    rest::problems::{Absent, AdminOnly, Faults, Stale},
};

/// Deletes a concert of which nothing was ever held or sold.
#[utoipa::path(delete, path = "/api/v1/admin/events/{id}", tag = "admin",
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the decision is based on"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`HAS_SALES`"),
        AdminOnly, Absent, Stale, Faults
    ))]
pub async fn delete_event(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    IfMatch(expected_version): IfMatch,
) -> Result<StatusCode, Problem> {
    let request = token.request(DeleteEventRequest {
        event_id: id.to_string(),
        expected_version,
    });
    app.upstreams.catalog_admin().delete_event(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
