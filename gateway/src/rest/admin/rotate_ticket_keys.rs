use axum::{Json as Answer, extract::State};
use base::EventId;
use proto::ticket::RotateTicketKeysRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::list_ticket_keys::TicketKeys;
use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::all,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The key that shall sign no more.
    #[schema(example = 1)]
    key_number: u32,
    /// Somebody else may have it: nothing that it signed is valid any more.
    #[serde(default)]
    revoke: bool,
}

/// Replaces the key that signs a concert's ticket codes.
///
/// Tickets that it signed stay valid. With `revoke` they do not: each of them has another code at once, on the
/// page of its order, and what was printed or mailed before opens no door. Repeating it changes nothing.
#[utoipa::path(post, path = "/api/v1/admin/events/{id}/ticket-keys/rotate", tag = "admin",
    request_body = Rotation,
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = TicketKeys),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`EVENT_ARCHIVED`"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn rotate_ticket_keys(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    Json(rotation): Json<Rotation>,
) -> Result<Answer<TicketKeys>, Problem> {
    let request = token.request(RotateTicketKeysRequest {
        event_id: id.to_string(),
        key_number: rotation.key_number,
        revoke: rotation.revoke,
    });
    let mut codes = app.upstreams.ticket_codes();
    let rotated = codes.rotate_ticket_keys(request).await?.into_inner();
    Ok(Answer(TicketKeys {
        keys: all(rotated.keys)?,
    }))
}
