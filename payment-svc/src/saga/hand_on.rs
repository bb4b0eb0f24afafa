//! A ticket goes to somebody else: a new code for it, the old one is void, and its mail is a row of the
//! transaction that says so.

use base::MessageId;
use kit::{CallContext, Certainty, ErrorReason, Failure};
use proto::{
    event::{PaidTicket, TicketTransferred, envelope::Payload},
    ticket::{TransferTicketRequest, TransferTicketResponse},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{announce::order_facts, send_back::order_status};
use crate::{
    app::App,
    domain::timeline::{TICKET_HANDED_ON, TICKET_NOT_HANDED_ON},
    error::Error,
    store::{self, By},
    transfers::{self, TransferRow},
};

/// Takes the step at ticket-svc and writes down what it came to. May be repeated.
pub(crate) async fn hand_on(app: &App, id: Uuid, by: By) -> Result<(), Error> {
    let find = app
        .db
        .read(id, |conn, id| Box::pin(transfers::find(conn, *id)));
    let transfer = find.await?.filter(TransferRow::is_requested);
    let Some(transfer) = transfer else {
        return Ok(());
    };
    let request = TransferTicketRequest {
        order_id: transfer.order_id.to_string(),
        ticket_id: transfer.ticket_id.to_string(),
        transfer_id: transfer.id.to_string(),
        holder_name: transfer.name.clone(),
    };
    let answer = match app.inventory.clone().transfer_ticket(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return refused(app, &transfer, Failure::from_status(&status), by).await,
    };
    kit::failpoint!("payment.ticket_handed_on");
    done(app, &transfer, answer, by).await
}

struct Done {
    transfer: TransferRow,
    generation: i32,
    /// Which facts of the event the message has.
    event_version: i64,
    /// None where the ticket has moved on since: its code is dead.
    message: Option<TicketTransferred>,
    id: MessageId,
    at: OffsetDateTime,
    by: By,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

async fn done(
    app: &App,
    transfer: &TransferRow,
    answer: TransferTicketResponse,
    by: By,
) -> Result<(), Error> {
    let broken = Error::Broken("ticket-svc handed on a ticket and did not say which");
    let ticket = answer.ticket.ok_or(broken)?;
    let (order, _) = store::load(app, transfer.order_id.into()).await?;
    let mut facts = order_facts(app, &order);
    facts.email.clone_from(&transfer.email);
    facts.name.clone_from(&transfer.name);
    facts.locale.clone_from(&transfer.locale);
    facts.sealed_order_link = app.sealed_ticket_link(transfer);
    facts.sealed_unsubscribe_link = Vec::new();
    facts.total = None;
    let message = TicketTransferred {
        order: Some(facts),
        generation: ticket.generation,
        from_name: order.name.clone(),
        ticket: Some(PaidTicket {
            id: ticket.id,
            code: ticket.code,
            category: ticket.category,
        }),
    };
    let done = Done {
        transfer: transfer.clone(),
        generation: i32::try_from(ticket.generation).unwrap_or(i32::MAX),
        event_version: order.event_version,
        message: (!answer.superseded).then_some(message),
        id: MessageId::new(&app.sources),
        at: app.sources.now(),
        by,
        context: kit::current(),
    };
    let record = app.db.run(done, |tx, done| Box::pin(record(tx, done)));
    record.await?;
    app.nudges.outbox.notify_one();
    Ok(())
}

async fn record(tx: &mut PgConnection, done: &Done) -> Result<(), Error> {
    let order = done.transfer.order_id.into();
    let status = order_status(tx, order).await?;
    let ended = sqlx::query!(
        "UPDATE ticket_transfers
         SET status = 'done', generation = $2, ended_at = clock_timestamp(), next_step_at = NULL
         WHERE id = $1 AND status = 'requested'",
        done.transfer.id,
        done.generation,
    );
    if ended.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(());
    }
    must_be_of_now(tx, done).await?;
    if let Some(message) = &done.message {
        let payload = Payload::TicketTransferred(message.clone());
        let enqueue = events::enqueue(tx, done.id, done.at, payload);
        kit::with_context(done.context.clone(), enqueue).await?;
    }
    store::note(tx, order, status, &done.by, TICKET_HANDED_ON).await?;
    Ok(())
}

/// Whoever gets a ticket after its event was moved hears the date from this message and no other, so it must
/// not tell the old one. The order is locked; whoever fails here tries again.
async fn must_be_of_now(tx: &mut PgConnection, done: &Done) -> Result<(), Error> {
    let version = sqlx::query_scalar!(
        "SELECT event_version FROM orders WHERE id = $1",
        done.transfer.order_id,
    );
    if version.fetch_one(tx).await? == done.event_version {
        return Ok(());
    }
    Err(Error::Broken(
        "an event was changed while a ticket of it was being handed on",
    ))
}

/// Tells a refusal of the business, which ends the step, from a fault, after which it is repeated.
async fn refused(app: &App, transfer: &TransferRow, failure: Failure, by: By) -> Result<(), Error> {
    let ends = matches!(
        failure.reason,
        ErrorReason::TicketNotValid | ErrorReason::NotFound
    );
    if !ends || failure.certainty == Certainty::Unknown {
        return Err(failure.into());
    }
    let record = app.db.run((transfer.clone(), by), |tx, (transfer, by)| {
        Box::pin(async move {
            let order = transfer.order_id.into();
            let status = order_status(tx, order).await?;
            let ended = sqlx::query!(
                "UPDATE ticket_transfers
                 SET status = 'refused', ended_at = clock_timestamp(), next_step_at = NULL
                 WHERE id = $1 AND status = 'requested'",
                transfer.id,
            );
            if ended.execute(&mut *tx).await?.rows_affected() == 1 {
                store::note(tx, order, status, by, TICKET_NOT_HANDED_ON).await?;
            }
            Ok::<_, Error>(())
        })
    });
    record.await
}
