use axum::{Json, extract::State};
use base::TransferId;
use proto::{event::OrderPaid, payment::GetTransferredTicketRequest};

use crate::{
    app::{App, Shared},
    extract::Access,
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Faults, Secret},
        types::{TransferredTicket, broken},
    },
};

/// A ticket that was handed on, for whom it belongs to now.
#[utoipa::path(get, path = "/api/v1/transferred-tickets/{id}", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses(
        (status = 200, body = TransferredTicket),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`TICKETS_NOT_READY`: it is void"),
        Secret, Faults
    ))]
pub async fn get_transferred_ticket(
    State(app): State<Shared>,
    access: Access<TransferId>,
) -> Result<Json<TransferredTicket>, Problem> {
    Ok(Json(fetch(&app, &access).await?))
}

pub async fn fetch(app: &App, access: &Access<TransferId>) -> Result<TransferredTicket, Problem> {
    let ticket = TransferredTicket::of(facts(app, access).await?)?;
    Ok(ticket.ok_or_else(|| broken("ticket"))?)
}

/// What documents are rendered from.
pub async fn facts(app: &App, access: &Access<TransferId>) -> Result<OrderPaid, Problem> {
    let request = GetTransferredTicketRequest {
        transfer_id: access.id.to_string(),
        secret: access.secret.clone(),
    };
    let found = app.upstreams.desk().get_transferred_ticket(request).await?;
    let facts = found.into_inner().facts;
    Ok(facts.ok_or_else(|| broken("ticket"))?)
}
