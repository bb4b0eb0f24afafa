//! The stored facts that receipt, tickets and calendar are rendered from.

use std::sync::Arc;

use proto::{
    payment::{GetReceiptRequest, GetReceiptResponse},
    ticket::TicketStatus,
};

use crate::{app::App, error::Error, saga, store, view};

pub(in crate::rpc) async fn get_receipt(
    app: &Arc<App>,
    request: GetReceiptRequest,
) -> Result<GetReceiptResponse, Error> {
    let order = store::load_for_guest(app, &request.order_id, &request.secret).await?;
    if !order.status()?.has_tickets() {
        return Err(Error::TicketsNotReady);
    }
    let lines = view::lines(app, order.order_id()).await?;
    let mut tickets = view::tickets(app, order.order_id()).await?;
    // A void one admits nobody, so it is not printed.
    tickets.retain(|ticket| ticket.status() == TicketStatus::Valid);
    if tickets.is_empty() {
        return Err(Error::TicketsNotReady);
    }
    Ok(GetReceiptResponse {
        facts: Some(saga::order_paid(app, &order, &lines, &tickets)),
    })
}
