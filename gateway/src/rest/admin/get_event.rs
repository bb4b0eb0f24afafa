use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::EventId;
use proto::ticket::{GetOwnEventRequest, GetOwnEventResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::version::etag;
use crate::{
    app::{App, Shared},
    extract::{AdminToken, Id},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::{AdminEvent, AdminTicketType, all},
    },
};

/// A concert with its ticket types as admins see it.
#[derive(Serialize, ToSchema)]
pub struct AdminEventDetail {
    #[serde(flatten)]
    pub event: AdminEvent,
    pub ticket_types: Vec<AdminTicketType>,
}

/// One concert, whatever its status.
#[utoipa::path(get, path = "/api/v1/admin/events/{id}", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = AdminEventDetail, headers(("ETag" = String, description = "The version"))),
        AdminOnly, Absent, Faults
    ))]
pub async fn get_own_event(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
) -> Result<Response, Problem> {
    let found = fetch(&app, token, id).await?;
    let event = AdminEvent::required(found.event)?;
    let ticket_types = all(found.ticket_types)?;
    Ok((
        etag(event.version),
        Json(AdminEventDetail {
            event,
            ticket_types,
        }),
    )
        .into_response())
}

pub async fn fetch(
    app: &App,
    token: AdminToken,
    id: EventId,
) -> Result<GetOwnEventResponse, Problem> {
    let request = token.request(GetOwnEventRequest {
        event_id: id.to_string(),
    });
    Ok(app
        .upstreams
        .catalog_admin()
        .get_own_event(request)
        .await?
        .into_inner())
}
