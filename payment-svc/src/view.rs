//! An order as its guest sees it.

use base::OrderId;
use proto::{
    common::Money,
    payment::{
        AttemptStatus as WireAttempt, Order, OrderLine, OrderStatus as WireStatus, PaymentAttempt,
        TimelineEntry,
    },
    ticket::{ListOrderTicketsRequest, Ticket},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{attempt_state::AttemptStatus, order_state::OrderStatus, timeline},
    error::Error,
    store::{self, AttemptRow, OrderRow},
};

/// A line of an order.
#[derive(Clone, Debug)]
pub(crate) struct LineRow {
    pub ticket_type_id: Uuid,
    pub category: String,
    pub quantity: i32,
    pub unit_price_minor: i64,
    pub line_total_minor: i64,
}

struct EventRow {
    from_status: Option<String>,
    to_status: String,
    reason: String,
    at: OffsetDateTime,
}

/// Everything about an order, as it stands now. Tickets are asked for once they exist.
pub(crate) async fn order(app: &App, id: OrderId) -> Result<Order, Error> {
    let read = app.db.read(id, |conn, id| Box::pin(read(conn, *id)));
    let (row, attempt, lines, events) = read.await?;
    let status = row.status()?;
    let tickets = if status.has_tickets() {
        tickets(app, id).await?
    } else {
        Vec::new()
    };
    let money = |amount_minor| minor(amount_minor, &row.currency);
    Ok(Order {
        id: row.id.to_string(),
        status: status.wire().into(),
        lines: lines.iter().map(|line| wire_line(line, money)).collect(),
        total_amount: money(row.total_amount_minor),
        payment: attempt.map(wire_attempt).transpose()?,
        tickets,
        timeline: wire_timeline(events),
        created_at: Some(proto::timestamp(row.created_at)),
        event_id: row.event_id.map(|id| id.to_string()).unwrap_or_default(),
        event_title: row.event_title.unwrap_or_default(),
        event_slug: row.event_slug.unwrap_or_default(),
        event_date_time: row.event_date_time.map(proto::timestamp),
        event_timezone: row.event_timezone.unwrap_or_default(),
        event_location: row.event_location.unwrap_or_default(),
        number: row.number,
        email: row.email,
        phone_number: row.phone_number,
        name: row.name,
    })
}

/// True while the guest has to wait for a page to pay on.
pub(crate) fn is_preparing(order: &Order) -> bool {
    let payment = order.payment.as_ref();
    match order.status() {
        WireStatus::Created => true,
        // Once an attempt has ended no page follows by itself.
        WireStatus::AwaitingPayment => {
            payment.is_some_and(|payment| payment.status() == WireAttempt::Created)
        }
        _ => false,
    }
}

/// The tickets that ticket-svc issued for the order.
pub(crate) async fn tickets(app: &App, id: OrderId) -> Result<Vec<Ticket>, Error> {
    let request = ListOrderTicketsRequest {
        order_id: id.to_string(),
    };
    Ok(app
        .inventory
        .clone()
        .list_order_tickets(request)
        .await?
        .into_inner()
        .tickets)
}

pub(crate) async fn lines(app: &App, id: OrderId) -> Result<Vec<LineRow>, Error> {
    app.db
        .read(id, |conn, id| Box::pin(read_lines(conn, *id)))
        .await
}

/// To the wire. The currency was checked when it was stored.
pub(crate) fn minor(amount_minor: i64, currency: &str) -> Option<Money> {
    Some(Money {
        amount_minor,
        currency: currency.to_owned(),
    })
}

type Everything = (OrderRow, Option<AttemptRow>, Vec<LineRow>, Vec<EventRow>);

async fn read(conn: &mut PgConnection, id: OrderId) -> Result<Everything, Error> {
    let order = store::find_order(conn, id)
        .await?
        .ok_or(Error::OrderNotFound)?;
    let attempt = store::newest_attempt(conn, id).await?;
    let lines = read_lines(conn, id).await?;
    let events = sqlx::query_as!(
        EventRow,
        "SELECT from_status, to_status, reason, at FROM order_events WHERE order_id = $1 ORDER BY id",
        id.uuid(),
    );
    let events = events.fetch_all(conn).await?;
    Ok((order, attempt, lines, events))
}

async fn read_lines(conn: &mut PgConnection, id: OrderId) -> Result<Vec<LineRow>, Error> {
    let lines = sqlx::query_as!(
        LineRow,
        "SELECT ticket_type_id, category, quantity, unit_price_minor, line_total_minor
         FROM order_lines WHERE order_id = $1 ORDER BY position",
        id.uuid(),
    );
    Ok(lines.fetch_all(conn).await?)
}

fn wire_line(line: &LineRow, money: impl Fn(i64) -> Option<Money>) -> OrderLine {
    OrderLine {
        ticket_type_id: line.ticket_type_id.to_string(),
        category: line.category.clone(),
        quantity: line.quantity.unsigned_abs(),
        unit_price: money(line.unit_price_minor),
        line_total: money(line.line_total_minor),
    }
}

fn wire_attempt(attempt: AttemptRow) -> Result<PaymentAttempt, Error> {
    let status = attempt.status()?;
    let page = attempt
        .checkout_url
        .filter(|_| status == AttemptStatus::RequiresAction);
    Ok(PaymentAttempt {
        provider: attempt.provider,
        status: status.wire().into(),
        payment_ref: attempt.provider_ref.unwrap_or_default(),
        checkout_url: page.unwrap_or_default(),
        expires_at: Some(proto::timestamp(attempt.deadline)),
    })
}

fn wire_timeline(events: Vec<EventRow>) -> Vec<TimelineEntry> {
    let tell = |event: EventRow| {
        let from: Option<OrderStatus> = event.from_status.and_then(|word| word.parse().ok());
        let to: OrderStatus = event.to_status.parse().ok()?;
        let (what, detail) = timeline::tell(from, to, &event.reason)?;
        Some(TimelineEntry {
            at: Some(proto::timestamp(event.at)),
            what: what.to_owned(),
            detail,
        })
    };
    events.into_iter().filter_map(tell).collect()
}
