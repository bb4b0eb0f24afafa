//! `paid → fulfilled | unfulfillable`, by the one final answer of ticket-svc.

use std::sync::Arc;

use base::{MessageId, OrderId, RefundId};
use db::Db;
use events::Message;
use proto::{
    event::envelope::Payload,
    ticket::{CommitOrderRequest, CommitOrderResponse, OrderAnswer},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    announce::Announcement,
    facts::{EventNow, occurred_at, order_paid},
    send_back::order_status,
    send_back_all::{refund_names, send_back_all},
};
use crate::{
    app::App,
    domain::{order_state::OrderStatus, refund_state::RefundReason},
    error::Error,
    store::{self, By, OrderRow, Step},
    view::{self, LineRow},
};

/// `lines` where the caller has read them already.
pub(crate) async fn fulfil(
    app: &App,
    order: &OrderRow,
    lines: Option<Vec<LineRow>>,
    by: By,
) -> Result<(), Error> {
    let request = CommitOrderRequest {
        order_id: order.id.to_string(),
        event_id: order.event_id.map(|id| id.to_string()).unwrap_or_default(),
    };
    let answer = app
        .inventory
        .clone()
        .commit_order(request)
        .await?
        .into_inner();
    kit::failpoint!("payment.tickets_committed");
    match answer.answer() {
        OrderAnswer::Committed => committed(app, (order, lines), answer, by).await,
        OrderAnswer::Refused => refused(app, order.order_id(), answer.refusal_reason, by).await,
        OrderAnswer::Unspecified => Err(Error::Broken("ticket-svc gave no answer for an order")),
    }
}

/// An order that has its tickets, and the message about it. Clones share it.
#[derive(Clone)]
pub(crate) struct Fulfilment(Arc<Fulfilled>);

struct Fulfilled {
    order: OrderId,
    by: By,
    /// As it is now; it may have moved since the hold was bound.
    event: Option<EventNow>,
    /// Of the order when the message was made: it goes to the address of then.
    secret_generation: i32,
    message: Message,
}

/// The receipt's message is a row of the same transaction: there is none without the other.
async fn committed(
    app: &App,
    (order, lines): (&OrderRow, Option<Vec<LineRow>>),
    answer: CommitOrderResponse,
    by: By,
) -> Result<(), Error> {
    let event = answer.event.map(EventNow::read).transpose()?;
    let mut order = order.clone();
    if let Some(event) = &event {
        event.put_on(&mut order);
    }
    let lines = match lines {
        Some(lines) => lines,
        None => view::lines(app, order.order_id()).await?,
    };
    let facts = order_paid(app, &order, &lines, &answer.tickets);
    let payload = Payload::OrderPaid(facts);
    let fulfilled = Fulfilled {
        order: order.order_id(),
        by,
        event,
        secret_generation: order.secret_generation,
        message: Message::new(MessageId::new(&app.sources), occurred_at(&order), payload),
    };
    let fulfilment = Fulfilment(Arc::new(fulfilled));
    app.lanes.fulfilments.submit(fulfilment).await?;
    kit::failpoint!("payment.order_fulfilled");
    app.nudges.outbox.notify_one();
    Ok(())
}

/// Those that came together. One that is not `paid` any more was recorded by somebody else.
pub(crate) async fn fulfil_all(session: Db, all: Arc<[Fulfilment]>) -> Result<Vec<()>, Error> {
    let count = all.len();
    let record = session.run_statement(all, |conn, all| Box::pin(record(conn, all)));
    record.await?;
    Ok(vec![(); count])
}

async fn record(conn: &mut PgConnection, all: &Arc<[Fulfilment]>) -> Result<(), Error> {
    let all = || all.iter().map(|one| one.0.as_ref());
    let moved = || all().map(|one| one.event.as_ref());
    let orders: Vec<Uuid> = all().map(|one| one.order.uuid()).collect();
    let actors: Vec<String> = all().map(|one| one.by.actor.clone()).collect();
    let traces: Vec<Option<String>> = all().map(|one| one.by.trace_id()).collect();
    let messages: Vec<Uuid> = all().map(|one| one.message.id).collect();
    let kinds: Vec<String> = all().map(|one| one.message.kind.to_owned()).collect();
    let envelopes: Vec<Vec<u8>> = all().map(|one| one.message.envelope.clone()).collect();
    let titles: Vec<Option<String>> = moved().map(|to| Some(to?.title.clone())).collect();
    let places: Vec<Option<String>> = moved().map(|to| Some(to?.location.clone())).collect();
    let times: Vec<Option<OffsetDateTime>> = moved().map(|to| Some(to?.date_time)).collect();
    let zones: Vec<Option<String>> = moved().map(|to| Some(to?.timezone.clone())).collect();
    let generations: Vec<i32> = all().map(|one| one.secret_generation).collect();
    let versions: Vec<Option<i64>> = moved().map(|to| Some(to?.version)).collect();
    sqlx::query!(
        r#"WITH wish AS (
               SELECT DISTINCT ON (order_id) order_id, actor, trace_id, message_id, kind, envelope, title,
                   location, date_time, timezone, version, secret_generation
               FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::bytea[],
                   $7::text[], $8::text[], $9::timestamptz[], $10::text[], $11::bigint[],
                   $12::int[])
                 AS w (order_id, actor, trace_id, message_id, kind, envelope, title, location,
                   date_time, timezone, version, secret_generation)
           ), locked AS MATERIALIZED (
               SELECT id, trace_id FROM orders WHERE id = ANY($1) AND status = 'paid'
               ORDER BY id FOR UPDATE
           ), moved AS (
               UPDATE orders o
               SET status = 'fulfilled', updated_at = clock_timestamp(), step_failures = 0,
                   -- A guest could still pay by another attempt.
                   next_step_at = (SELECT clock_timestamp() + interval '5 s' FROM payment_attempts a
                       WHERE a.order_id = o.id AND a.status IN ('created', 'requires_action', 'processing')
                       LIMIT 1),
                   -- Also where the order has newer ones: it knows of the event what its guest is told.
                   event_version = coalesce(w.version, o.event_version),
                   event_title = coalesce(w.title, o.event_title),
                   event_location = coalesce(w.location, o.event_location),
                   event_date_time = coalesce(w.date_time, o.event_date_time),
                   event_timezone = coalesce(w.timezone, o.event_timezone)
               FROM wish w JOIN locked l ON l.id = w.order_id
               -- Its address was corrected since the message was made: it stays paid, and the next step
               -- makes another one.
               WHERE o.id = l.id AND o.secret_generation = w.secret_generation
               RETURNING o.id, w.actor, coalesce(w.trace_id, l.trace_id) AS trace_id, w.message_id,
                   w.kind, w.envelope
           ), told AS (
               INSERT INTO order_events (order_id, actor, from_status, to_status, reason, trace_id)
               SELECT id, actor, 'paid', 'fulfilled', 'committed', trace_id FROM moved
           )
           INSERT INTO outbox (id, kind, envelope, order_id)
           SELECT message_id, kind, envelope, id FROM moved"#,
        &orders,
        &actors,
        &traces as &[Option<String>],
        &messages,
        &kinds,
        &envelopes,
        &titles as &[Option<String>],
        &places as &[Option<String>],
        &times as &[Option<OffsetDateTime>],
        &zones as &[Option<String>],
        &versions as &[Option<i64>],
        &generations,
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct Refusal {
    step: Step,
    names: Vec<(Uuid, RefundId)>,
    announcement: Announcement,
}

/// The money goes back, by rows of the same transaction: there is no such end without them. They tell
/// the guest; where nothing was paid, this does.
async fn refused(app: &App, order: OrderId, why: String, by: By) -> Result<(), Error> {
    let step = Step {
        order,
        from: OrderStatus::Paid,
        to: OrderStatus::Unfulfillable,
        by,
        reason: why,
    };
    let refusal = Refusal {
        step,
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
