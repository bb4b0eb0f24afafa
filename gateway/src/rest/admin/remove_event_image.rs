use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::EventId;
use proto::ticket::SetEventImageRequest;

use super::version::{IfMatch, etag};
use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, Faults, Stale},
        types::AdminEvent,
    },
};

/// Takes a concert's picture away. Its files stay, for pages that are still open and for concerts that
/// share it.
#[utoipa::path(delete, path = "/api/v1/admin/events/{id}/image", tag = "admin",
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the change is based on"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, body = AdminEvent, headers(("ETag" = String, description = "The version"))),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`EVENT_ARCHIVED`"),
        AdminOnly, Absent, Stale, Faults
    ))]
pub async fn remove_event_image(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    IfMatch(expected_version): IfMatch,
) -> Result<Response, Problem> {
    let request = token.request(SetEventImageRequest {
        event_id: id.to_string(),
        expected_version,
        image: None,
        only_check: false,
    });
    let changed = app
        .upstreams
        .catalog_admin()
        .set_event_image(request)
        .await?;
    let event = AdminEvent::required(changed.into_inner().event)?;
    Ok((etag(event.version), Answer(event)).into_response())
}
