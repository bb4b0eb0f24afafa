use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::EventId;
use proto::ticket::ArchiveEventRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::version::{IfMatch, etag};
use crate::{
    app::Shared,
    extract::{AdminToken, Id, JsonOrEmpty},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults, Stale},
        types::AdminEvent,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Archiving {
    /// False takes it out of the archive again; true where it is left out.
    #[serde(default = "yes")]
    #[schema(default = true)]
    archived: bool,
}

impl Default for Archiving {
    fn default() -> Self {
        Self { archived: true }
    }
}

fn yes() -> bool {
    true
}

/// Puts a concert away, out of every list, or takes it out of the archive.
///
/// Nothing of an archived concert is changed or sold; what was sold stays sold. An active one is
/// paused by it. Repeating it changes nothing.
#[utoipa::path(post, path = "/api/v1/admin/events/{id}/archive", tag = "admin",
    request_body(content = Option<Archiving>),
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the decision is based on"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, body = AdminEvent, headers(("ETag" = String, description = "The version"))),
        BadBody, AdminOnly, Absent, Stale, Faults
    ))]
pub async fn archive_event(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    IfMatch(expected_version): IfMatch,
    JsonOrEmpty(archiving): JsonOrEmpty<Archiving>,
) -> Result<Response, Problem> {
    let request = token.request(ArchiveEventRequest {
        event_id: id.to_string(),
        expected_version,
        archived: archiving.archived,
    });
    let mut catalog = app.upstreams.catalog_admin();
    let archived = catalog.archive_event(request).await?.into_inner();
    let event = AdminEvent::required(archived.event)?;
    Ok((etag(event.version), Json(event)).into_response())
}
