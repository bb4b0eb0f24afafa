use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::EventId;
use http::StatusCode;
use proto::ticket::CloneEventRequest;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{get_event::AdminEventDetail, version::etag};
use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json, OptionalKey},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::{AdminEvent, all, moment},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    #[serde(deserialize_with = "moment::deserialize")]
    date_time: OffsetDateTime,
    /// 1 to 200 characters; the same where it is left out.
    #[serde(default)]
    title: String,
}

/// Copies a concert for another date.
///
/// The copy is inactive and the caller's own. It has the same terms, ticket types and pools, and
/// nothing held or sold; sales windows are as far from the new date as they were from the old one,
/// by local clocks.
#[utoipa::path(post, path = "/api/v1/admin/events/{id}/clone", tag = "admin", request_body = Copy,
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = Option<String>, Header, description = "With it, a repeat makes no second copy"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 201, body = AdminEventDetail, headers(("ETag" = String, description = "The version"))),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn clone_event(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    key: OptionalKey,
    Json(copy): Json<Copy>,
) -> Result<Response, Problem> {
    let request = token.request(CloneEventRequest {
        event_id: id.to_string(),
        date_time: Some(proto::timestamp(copy.date_time)),
        title: copy.title,
        idempotency_key: key.text(),
    });
    let mut catalog = app.upstreams.catalog_admin();
    let made = catalog.clone_event(request).await?.into_inner();
    let event = AdminEvent::required(made.event)?;
    let ticket_types = all(made.ticket_types)?;
    let version = event.version;
    let detail = AdminEventDetail {
        event,
        ticket_types,
    };
    Ok((StatusCode::CREATED, etag(version), Answer(detail)).into_response())
}
