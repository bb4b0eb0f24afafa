use axum::{Json as Answer, extract::State};
use base::EventId;
use proto::ticket::{self, VerifyTicketRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::Verdict,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownCode {
    /// What the QR code carries, to the letter; it may contain blanks.
    code: String,
}

/// What a code is worth.
#[derive(Serialize, ToSchema)]
pub struct Verification {
    verdict: Verdict,
    /// Null where the verdict is `unknown` or `wrong_event`.
    ticket: Option<VerifiedTicket>,
}

/// Whose ticket it is, as far as a door need know.
#[derive(Serialize, ToSchema)]
pub struct VerifiedTicket {
    #[schema(format = Uuid)]
    id: String,
    #[schema(format = Uuid)]
    order_id: String,
    #[schema(example = "Balcony")]
    category: String,
    /// Which code of the ticket was shown, from 1.
    generation: u32,
    /// Of whoever it was handed on to; empty where it was not.
    holder_name: String,
}

impl From<ticket::VerifiedTicket> for VerifiedTicket {
    fn from(ticket: ticket::VerifiedTicket) -> Self {
        Self {
            id: ticket.id,
            order_id: ticket.order_id,
            category: ticket.category,
            generation: ticket.generation,
            holder_name: ticket.holder_name,
        }
    }
}

/// What a ticket's code is worth now, at the door of a concert. It lets nobody in.
#[utoipa::path(post, path = "/api/v1/admin/events/{id}/verify-ticket", tag = "admin",
    request_body = ShownCode,
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = Verification), BadBody, AdminOnly, Absent, Faults))]
pub async fn verify_ticket(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    Json(shown): Json<ShownCode>,
) -> Result<Answer<Verification>, Problem> {
    let request = token.request(VerifyTicketRequest {
        event_id: id.to_string(),
        code: shown.code,
    });
    let mut codes = app.upstreams.ticket_codes();
    let told = codes.verify_ticket(request).await?.into_inner();
    Ok(Answer(Verification {
        verdict: Verdict::of(told.verdict)?,
        ticket: told.ticket.map(VerifiedTicket::from),
    }))
}
