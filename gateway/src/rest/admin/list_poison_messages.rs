use axum::{Json, extract::State};
use kit::Failure;
use proto::notify::{self, ListPoisonMessagesRequest};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{AdminOnly, BadQuery, Faults},
        types::{all, time_of},
    },
};

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Pages {
    /// 1 to 100; 20 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

#[derive(Serialize, ToSchema)]
pub struct PoisonMessagePage {
    messages: Vec<PoisonMessage>,
    /// Empty on the last page.
    next_page_token: String,
}

/// A message between services that could not be read, or was read and refused.
#[derive(Serialize, ToSchema)]
pub struct PoisonMessage {
    #[schema(format = Uuid)]
    id: String,
    reason: String,
    /// Where it came from; empty where the message was read: then its sender still has it.
    subject: String,
    payload_bytes: u32,
    /// How often it came.
    times: u32,
    #[serde(with = "rfc3339")]
    first_received_at: OffsetDateTime,
    #[serde(with = "rfc3339")]
    last_received_at: OffsetDateTime,
}

impl TryFrom<notify::PoisonMessage> for PoisonMessage {
    type Error = Failure;

    fn try_from(message: notify::PoisonMessage) -> Result<Self, Failure> {
        Ok(Self {
            first_received_at: time_of(message.first_received_at.as_ref(), "first_received_at")?,
            last_received_at: time_of(message.last_received_at.as_ref(), "last_received_at")?,
            id: message.id,
            reason: message.reason,
            subject: message.subject,
            payload_bytes: message.payload_bytes,
            times: message.times,
        })
    }
}

/// Messages between services that became no mail, the newest first. For superadmins.
#[utoipa::path(get, path = "/api/v1/admin/poison-messages", tag = "admin", params(Pages),
    security(("access_token" = [])),
    responses((status = 200, body = PoisonMessagePage), AdminOnly, BadQuery, Faults))]
pub async fn list_poison_messages(
    State(app): State<Shared>,
    token: AdminToken,
    Query(pages): Query<Pages>,
) -> Result<Json<PoisonMessagePage>, Problem> {
    let request = token.request(ListPoisonMessagesRequest {
        page_size: pages.page_size,
        page_token: pages.page_token,
    });
    let mut notifications = app.upstreams.notifications();
    let found = notifications
        .list_poison_messages(request)
        .await?
        .into_inner();
    Ok(Json(PoisonMessagePage {
        messages: all(found.messages)?,
        next_page_token: found.next_page_token,
    }))
}
