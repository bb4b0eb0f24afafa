//! `paid → fulfilled | unfulfillable`, by the one final answer of ticket-svc.

use base::{MessageId, OrderId, RefundId};
use kit::CallContext;
use proto::{
    event::{OrderPaid, envelope::Payload},
    ticket::{CommitOrderRequest, CommitOrderResponse, EventFacts, OrderAnswer},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    announce::Announcement,
    facts::{occurred_at, order_paid},
    send_back::order_status,
    send_back_all::{refund_names, send_back_all},
};
use crate::{
    app::App,
    domain::{order_state::OrderStatus, refund_state::RefundReason},
    error::Error,
    store::{self, By, OrderRow, Step},
    view,
};

pub(crate) async fn fulfil(app: &App, order: &OrderRow, by: By) -> Result<(), Error> {
    let request = CommitOrderRequest {
        order_id: order.id.to_string(),
    };
    let answer = app
        .inventory
        .clone()
        .commit_order(request)
        .await?
        .into_inner();
    kit::failpoint!("payment.tickets_committed");
    match answer.answer() {
        OrderAnswer::Committed => committed(app, order, answer, by).await,
        OrderAnswer::Refused => refused(app, order.order_id(), answer.refusal_reason, by).await,
        OrderAnswer::Unspecified => Err(Error::Broken("ticket-svc gave no answer for an order")),
    }
}

struct Fulfilment {
    step: Step,
    /// Where the event is now, if it moved since the hold was bound.
    event: Option<Moved>,
    message: MessageId,
    at: OffsetDateTime,
    facts: OrderPaid,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

struct Moved {
    title: String,
    location: String,
    date_time: OffsetDateTime,
    timezone: String,
}

/// The receipt's message is a row of the same transaction: there is none without the other.
async fn committed(
    app: &App,
    order: &OrderRow,
    answer: CommitOrderResponse,
    by: By,
) -> Result<(), Error> {
    let event = answer.event.map(read_event).transpose()?;
    let mut order = order.clone();
    if let Some(event) = &event {
        order.event_title = Some(event.title.clone());
        order.event_location = Some(event.location.clone());
        order.event_date_time = Some(event.date_time);
        order.event_timezone = Some(event.timezone.clone());
    }
    let lines = view::lines(app, order.order_id()).await?;
    let fulfilment = Fulfilment {
        step: step(order.order_id(), OrderStatus::Fulfilled, by, "committed"),
        event,
        message: MessageId::new(&app.sources),
        at: occurred_at(&order),
        facts: order_paid(app, &order, &lines, &answer.tickets),
        context: kit::current(),
    };
    let record = app.db.run(fulfilment, |tx, fulfilment| {
        Box::pin(record(tx, fulfilment))
    });
    record.await?;
    kit::failpoint!("payment.order_fulfilled");
    app.nudges.outbox.notify_one();
    Ok(())
}

async fn record(tx: &mut PgConnection, fulfilment: &Fulfilment) -> Result<(), Error> {
    if !store::advance(tx, &fulfilment.step).await? {
        return Ok(());
    }
    if let Some(event) = &fulfilment.event {
        sqlx::query!(
            "UPDATE orders
             SET event_title = $2, event_location = $3, event_date_time = $4, event_timezone = $5
             WHERE id = $1",
            fulfilment.step.order.uuid(),
            event.title,
            event.location,
            event.date_time,
            event.timezone,
        )
        .execute(&mut *tx)
        .await?;
    }
    let payload = Payload::OrderPaid(fulfilment.facts.clone());
    let enqueue = events::enqueue(tx, fulfilment.message, fulfilment.at, payload);
    kit::with_context(fulfilment.context.clone(), enqueue).await?;
    Ok(())
}

fn read_event(event: EventFacts) -> Result<Moved, Error> {
    let date_time = event.date_time.as_ref().map(proto::timestamp_from);
    let Some(Ok(date_time)) = date_time else {
        return Err(Error::Broken(
            "ticket-svc committed an order of an event without a time",
        ));
    };
    Ok(Moved {
        title: event.title,
        location: event.location,
        date_time,
        timezone: event.timezone,
    })
}

struct Refusal {
    step: Step,
    names: Vec<(Uuid, RefundId)>,
    announcement: Announcement,
}

/// The money goes back, by rows of the same transaction: there is no such end without them. They tell
/// the guest; where nothing was paid, this does.
async fn refused(app: &App, order: OrderId, why: String, by: By) -> Result<(), Error> {
    let refusal = Refusal {
        step: step(order, OrderStatus::Unfulfillable, by, &why),
        names: refund_names(app, order).await?,
        announcement: Announcement::of(app, order).await?,
    };
    let record = app
        .db
        .run(refusal, |tx, refusal| Box::pin(record_refusal(tx, refusal)));
    record.await?;
    app.nudges.refunds.notify_one();
    app.nudges.outbox.notify_one();
    Ok(())
}

async fn record_refusal(tx: &mut PgConnection, refusal: &Refusal) -> Result<(), Error> {
    let step = &refusal.step;
    order_status(tx, step.order).await?;
    if !store::advance(tx, step).await? {
        return Ok(());
    }
    let money = (step.order, &refusal.names[..]);
    if !send_back_all(tx, money, RefundReason::Unfulfillable, &step.by).await? {
        let announcement = &refusal.announcement;
        announcement.of_a_free_refusal(tx, &step.reason).await?;
    }
    Ok(())
}

fn step(order: OrderId, to: OrderStatus, by: By, reason: &str) -> Step {
    Step {
        order,
        from: OrderStatus::Paid,
        to,
        by,
        reason: reason.to_owned(),
    }
}
