use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::EventId;
use proto::ticket::PostponeEventRequest;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::version::{IfMatch, etag};
use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults, Stale},
        types::{AdminEvent, moment},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Postponement {
    /// Another date than now, and not past.
    #[serde(deserialize_with = "moment::deserialize")]
    date_time: OffsetDateTime,
    /// What guests are told; up to 500 characters.
    #[serde(default)]
    #[schema(example = "The hall is flooded.")]
    reason: String,
}

/// Gives a concert a new date and keeps the old one.
///
/// Sold tickets stay valid, and their guests hear of the new date. A sales window without an end
/// follows it. Repeating it changes nothing. A date that was only mistyped is corrected with `PATCH`
/// instead; whoever has tickets hears of that, too.
#[utoipa::path(post, path = "/api/v1/admin/events/{id}/postpone", tag = "admin",
    request_body = Postponement,
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the decision is based on"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, body = AdminEvent, headers(("ETag" = String, description = "The version"))),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`EVENT_NOT_ACTIVE` where it is cancelled, `EVENT_ARCHIVED`"),
        BadBody, AdminOnly, Absent, Stale, Faults
    ))]
pub async fn postpone_event(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    IfMatch(expected_version): IfMatch,
    Json(postponement): Json<Postponement>,
) -> Result<Response, Problem> {
    let request = token.request(PostponeEventRequest {
        event_id: id.to_string(),
        expected_version,
        date_time: Some(proto::timestamp(postponement.date_time)),
        reason: postponement.reason,
    });
    let mut catalog = app.upstreams.catalog_admin();
    let postponed = catalog.postpone_event(request).await?.into_inner();
    let event = AdminEvent::required(postponed.event)?;
    Ok((etag(event.version), Answer(event)).into_response())
}
