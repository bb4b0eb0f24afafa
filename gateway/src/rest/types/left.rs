use serde::Serialize;
use utoipa::ToSchema;

use super::{Availability, EventDetail};

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

impl Left {
    pub fn of(detail: &EventDetail) -> Self {
        let of_type = |kind: &super::TicketType| LeftOfType {
            id: kind.id.clone(),
            remaining: kind.remaining,
            availability: kind.availability,
        };
        Self {
            event_id: detail.event.id.clone(),
            availability: detail.event.availability,
            ticket_types: detail.ticket_types.iter().map(of_type).collect(),
        }
    }
}
