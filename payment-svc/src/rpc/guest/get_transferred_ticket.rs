//! A ticket that was handed on, for whom it belongs to now.

use std::sync::Arc;

use proto::{
    event::OrderPaid,
    payment::{GetTransferredTicketRequest, GetTransferredTicketResponse},
    ticket::{Ticket, TicketStatus},
};
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    saga, store,
    transfers::{self, TransferRow},
    view,
};

const TICKET: &str = "ticket";

pub(in crate::rpc) async fn get_transferred_ticket(
    app: &Arc<App>,
    request: GetTransferredTicketRequest,
) -> Result<GetTransferredTicketResponse, Error> {
    let absent = || Error::NotFound(TICKET);
    let id: Uuid = request.transfer_id.parse().map_err(|_| absent())?;
    let find = app.db.read(id, |conn, id| {
        Box::pin(async move { Ok::<_, Error>(transfers::find(conn, *id).await?) })
    });
    let transfer = find.await?.ok_or_else(absent)?;
    if !app.ticket_secret_is_right(&transfer, &request.secret) {
        return Err(absent());
    }
    let tickets = view::tickets(app, transfer.order_id.into()).await?;
    let ticket = tickets.into_iter().find(|one| is_of(one, &transfer));
    let ticket = ticket.ok_or_else(absent)?;
    if ticket.status() != TicketStatus::Valid {
        return Err(Error::TicketsNotReady);
    }
    Ok(GetTransferredTicketResponse {
        facts: Some(facts(app, &transfer, ticket).await?),
    })
}

/// The ticket as this transfer made it. One that has gone on is somebody else's.
fn is_of(ticket: &Ticket, transfer: &TransferRow) -> bool {
    let generation = i32::try_from(ticket.generation).ok();
    ticket.id == transfer.ticket_id.to_string()
        && generation.is_some()
        && generation == transfer.generation
}

/// Nothing of whom it came from, and nothing of what was paid.
async fn facts(app: &App, transfer: &TransferRow, ticket: Ticket) -> Result<OrderPaid, Error> {
    let (order, _) = store::load(app, transfer.order_id.into()).await?;
    let mut facts = saga::order_paid(app, &order, &[], &[ticket]);
    facts.email.clone_from(&transfer.email);
    facts.name.clone_from(&transfer.name);
    facts.locale.clone_from(&transfer.locale);
    facts.phone_number = String::new();
    facts.sealed_order_link = app.sealed_ticket_link(transfer);
    if let Some(total) = &mut facts.total {
        total.amount_minor = 0;
    }
    Ok(facts)
}
