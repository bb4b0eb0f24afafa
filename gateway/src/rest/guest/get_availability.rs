use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::get_event;
use crate::{
    app::Shared,
    extract::Path,
    problem::Problem,
    rest::{
        problems::{Absent, Faults},
        types::{Availability, broken},
    },
};

/// What is left of a concert.
#[derive(Serialize, ToSchema)]
#[schema(as = EventAvailability)]
pub struct Left {
    event_id: String,
    availability: Availability,
    ticket_types: Vec<LeftOfType>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TicketTypeAvailability)]
pub struct LeftOfType {
    id: String,
    /// Null means unlimited.
    remaining: Option<i64>,
    availability: Availability,
}

/// What is left, in as few bytes as possible.
#[utoipa::path(get, path = "/api/v1/events/{id}/availability", tag = "guest",
    params(("id" = String, Path, description = "The concert's id or its slug")),
    responses((status = 200, body = Left), Absent, Faults))]
pub async fn get_availability(
    State(app): State<Shared>,
    Path(id_or_slug): Path<String>,
) -> Result<Json<Left>, Problem> {
    let found = get_event::fetch(&app, id_or_slug).await?;
    let event = found.event.ok_or_else(|| broken("event"))?;
    let mut ticket_types = Vec::with_capacity(found.ticket_types.len());
    for kind in found.ticket_types {
        let availability = Availability::of(kind.availability)?;
        ticket_types.push(LeftOfType {
            id: kind.id,
            remaining: kind.remaining,
            availability,
        });
    }
    let availability = Availability::of(event.availability)?;
    Ok(Json(Left {
        event_id: event.id,
        availability,
        ticket_types,
    }))
}
