//! The receipt again: because the guest asks for it, or because it goes to another address. It is a
//! message of its own with the next revision, and shows the tickets that are valid now.

use base::MessageId;
use kit::CallContext;
use proto::{
    event::{OrderPaid, envelope::Payload},
    ticket::{Ticket, TicketStatus},
};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{
    facts::order_paid,
    news::{News, number},
    send_back::order_status,
};
use crate::{
    app::App,
    domain::{order_state::OrderStatus, timeline::RECEIPT_SENT},
    error::Error,
    store::{self, By, OrderRow},
    transfers, view,
};

/// The facts of an order's receipt, as they are now. Error::TicketsNotReady where no ticket is valid and its guest's.
pub(crate) async fn receipt_facts(app: &App, order: &OrderRow) -> Result<OrderPaid, Error> {
    let tickets = own_tickets(app, order).await?;
    if tickets.is_empty() {
        return Err(Error::TicketsNotReady);
    }
    let lines = view::lines(app, order.order_id()).await?;
    Ok(order_paid(app, order, &lines, &tickets))
}

/// The same for what shows the money, with the tickets that there are. Error::TicketsNotReady where it was never paid, and
/// while its tickets are on their way.
pub(crate) async fn money_facts(app: &App, order: &OrderRow) -> Result<OrderPaid, Error> {
    if order.paid_at.is_none() || order.status()? == OrderStatus::Paid {
        return Err(Error::TicketsNotReady);
    }
    let tickets = own_tickets(app, order).await?;
    let lines = view::lines(app, order.order_id()).await?;
    Ok(order_paid(app, order, &lines, &tickets))
}

async fn own_tickets(app: &App, order: &OrderRow) -> Result<Vec<Ticket>, Error> {
    if !order.status()?.has_tickets() {
        return Ok(Vec::new());
    }
    let mut tickets = view::tickets(app, order.order_id()).await?;
    let order_id = order.order_id();
    let read = app.db.read(order_id, |conn, id| {
        Box::pin(async move { Ok::<_, Error>(transfers::of_order(conn, *id).await?) })
    });
    let leaving = read.await?;
    let leaving = leaving.iter().filter(|one| one.is_requested());
    let leaving: Vec<String> = leaving.map(|one| one.ticket_id.to_string()).collect();
    // A void one admits nobody, so it is not printed; one that was handed on, or is about to be, is
    // somebody else's.
    tickets.retain(|ticket| {
        ticket.status() == TicketStatus::Valid
            && !view::is_handed_on(ticket)
            && !leaving.contains(&ticket.id)
    });
    Ok(tickets)
}

/// A receipt to be sent, with all that a transaction cannot make.
#[derive(Clone)]
pub(crate) struct ReceiptAgain {
    message: MessageId,
    at: OffsetDateTime,
    order: base::OrderId,
    facts: OrderPaid,
    by: By,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

impl ReceiptAgain {
    /// For the order as it is in `order`, which may have another address than the stored one. The same
    /// message is sent once. Error::TicketsNotReady where no ticket is valid.
    pub async fn of(
        app: &App,
        order: &OrderRow,
        message: MessageId,
        by: By,
    ) -> Result<Self, Error> {
        Ok(Self {
            message,
            at: app.sources.now(),
            order: order.order_id(),
            facts: receipt_facts(app, order).await?,
            by,
            context: kit::current(),
        })
    }

    /// Writes it to the outbox. False if that was done before, or the tickets are gone meanwhile. Whoever
    /// commits nudges the outbox.
    pub async fn enqueue(&self, tx: &mut PgConnection) -> Result<bool, Error> {
        let status = order_status(tx, self.order).await?;
        let order = store::find_order(tx, self.order).await?;
        // Since the facts were read it may have got another address, or lost its guest's data.
        let still_theirs = order.is_some_and(|one| one.email == self.facts.email && !one.erased);
        if !status.has_tickets() || !still_theirs {
            return Ok(false);
        }
        let Some(revision) = number(tx, self.message, self.order, News::Receipt).await? else {
            return Ok(false);
        };
        let facts = OrderPaid {
            revision,
            ..self.facts.clone()
        };
        let enqueue = events::enqueue(tx, self.message, self.at, Payload::OrderPaid(facts));
        kit::with_context(self.context.clone(), enqueue).await?;
        store::note(tx, self.order, status, &self.by, RECEIPT_SENT).await?;
        Ok(true)
    }
}

/// Whether this very message was written before.
pub(crate) async fn was_sent(app: &App, message: MessageId) -> Result<bool, Error> {
    let read = app.db.read(message, |conn, message| {
        Box::pin(async move {
            let sent = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM order_news WHERE message_id = $1) AS "sent!""#,
                message.uuid(),
            );
            Ok::<_, Error>(sent.fetch_one(conn).await?)
        })
    });
    read.await
}
