use axum::{Json, extract::State};
use base::EventId;
use serde::Serialize;
use utoipa::ToSchema;

use super::get_event;
use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::{AdminTicketType, all},
    },
};

#[derive(Serialize, ToSchema)]
pub struct TicketTypeList {
    ticket_types: Vec<AdminTicketType>,
}

/// The ticket types of one concert.
#[utoipa::path(get, path = "/api/v1/admin/events/{id}/ticket-types", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = TicketTypeList), AdminOnly, Absent, Faults))]
pub async fn list_ticket_types(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
) -> Result<Json<TicketTypeList>, Problem> {
    let found = get_event::fetch(&app, token, id).await?;
    let ticket_types = all(found.ticket_types)?;
    Ok(Json(TicketTypeList { ticket_types }))
}
