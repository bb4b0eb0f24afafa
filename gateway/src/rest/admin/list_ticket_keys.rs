use axum::{Json, extract::State};
use base::EventId;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::Failure;
use proto::ticket::{self, ListTicketKeysRequest};
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::{TicketKeyState, all, optional_time, time_of},
    },
};

#[derive(Serialize, ToSchema)]
pub struct TicketKeys {
    pub keys: Vec<TicketKey>,
}

/// A key of a concert's ticket codes.
#[derive(Serialize, ToSchema)]
pub struct TicketKey {
    /// As it stands in a code.
    number: u32,
    /// Ed25519: 32 bytes as base64url without padding.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    public_key: String,
    state: TicketKeyState,
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// When it signed for the last time; null while it is active.
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    retired_at: Option<OffsetDateTime>,
    #[serde(with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<OffsetDateTime>,
}

impl TryFrom<ticket::TicketKey> for TicketKey {
    type Error = Failure;

    fn try_from(key: ticket::TicketKey) -> Result<Self, Failure> {
        Ok(Self {
            number: key.number,
            public_key: URL_SAFE_NO_PAD.encode(key.public_key),
            state: TicketKeyState::of(key.state)?,
            created_at: time_of(key.created_at.as_ref(), "created_at")?,
            retired_at: optional_time(key.retired_at.as_ref())?,
            revoked_at: optional_time(key.revoked_at.as_ref())?,
        })
    }
}

/// The keys that sign a concert's ticket codes, oldest first. There is none before its first sale.
#[utoipa::path(get, path = "/api/v1/admin/events/{id}/ticket-keys", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = TicketKeys), AdminOnly, Absent, Faults))]
pub async fn list_ticket_keys(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
) -> Result<Json<TicketKeys>, Problem> {
    let request = token.request(ListTicketKeysRequest {
        event_id: id.to_string(),
    });
    let mut codes = app.upstreams.ticket_codes();
    let found = codes.list_ticket_keys(request).await?.into_inner();
    Ok(Json(TicketKeys {
        keys: all(found.keys)?,
    }))
}
