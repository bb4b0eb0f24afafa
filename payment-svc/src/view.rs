//! An order as its guest sees it.

use std::collections::HashMap;

use base::OrderId;
use db::DbError;
use proto::{
    common::{Money, Seller},
    payment::{
        AttemptStatus as WireAttempt, Cancellation, Order, OrderLine, OrderStatus as WireStatus,
        PaymentAttempt, Preferences, TimelineEntry, TransferredTicket,
    },
    ticket::{ListOrderTicketsRequest, Ticket},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    cancellation::{Offer, offer},
    domain::{attempt_state::AttemptStatus, order_state::OrderStatus, timeline},
    error::Error,
    mark::mark,
    refunds::{self, RefundRow},
    store::{self, AttemptRow, OrderRow},
    transfers::{self, TransferRow},
};

/// A line of an order.
#[derive(Clone, Debug)]
pub(crate) struct LineRow {
    pub ticket_type_id: Uuid,
    pub category: String,
    pub quantity: i32,
    pub unit_price_minor: i64,
    pub line_total_minor: i64,
    pub unit_fee_minor: i64,
    pub tax_rate_ppm: i32,
    pub tax_minor: i64,
    pub refunded_quantity: i32,
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
    let Everything {
        order: row,
        attempt,
        lines,
        refunds,
        events,
        transfers,
        offer,
        mark,
    } = read.await?;
    let status = row.status()?;
    let mut tickets = if status.has_tickets() {
        tickets(app, id).await?
    } else {
        Vec::new()
    };
    hide_codes(&mut tickets, &transfers);
    let money = |amount_minor| minor(amount_minor, &row.currency);
    let refunds: Result<_, Error> = refunds.iter().map(RefundRow::wire).collect();
    Ok(Order {
        id: row.id.to_string(),
        status: status.wire().into(),
        lines: lines.iter().map(|line| wire_line(line, money)).collect(),
        total_amount: money(row.total_amount_minor),
        tax_total: money(lines.iter().map(|line| line.tax_minor).sum()),
        balance_due: attempt
            .as_ref()
            .and_then(|attempt| balance(status, attempt)),
        payment: attempt
            .map(|attempt| wire_attempt(app, attempt))
            .transpose()?,
        payment_providers: choices(app, &row, status),
        refunds: refunds?,
        tickets,
        timeline: wire_timeline(events),
        created_at: Some(proto::timestamp(row.created_at)),
        seller: row.event_id.and_then(|_| seller(app, &row)),
        cancellation: offer.map(|offer| Cancellation {
            refund: money(offer.refund_minor),
            fee: money(offer.fee_minor),
            until: Some(proto::timestamp(offer.until)),
        }),
        preferences: Some(Preferences {
            locale: row.locale,
            reminder: row.reminder,
            notices: row.notices,
        }),
        transferred_tickets: transfers.into_iter().map(wire_transfer).collect(),
        mark,
        accepted_terms: row.accepted_terms.unwrap_or_default(),
        terms_accepted_at: row.terms_accepted_at.map(proto::timestamp),
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

/// The ticket has another holder than the order's guest.
pub(crate) fn is_handed_on(ticket: &Ticket) -> bool {
    ticket.generation > 1
}

/// Whoever handed a ticket on cannot use it any more, not even while it is on its way.
fn hide_codes(tickets: &mut [Ticket], transfers: &[TransferRow]) {
    for ticket in tickets {
        let leaves = |one: &TransferRow| one.ticket_id.to_string() == ticket.id;
        if is_handed_on(ticket) || transfers.iter().any(leaves) {
            ticket.code.clear();
        }
    }
}

fn wire_transfer(transfer: TransferRow) -> TransferredTicket {
    TransferredTicket {
        ticket_id: transfer.ticket_id.to_string(),
        at: Some(proto::timestamp(transfer.created_at)),
        pending: transfer.is_requested(),
        name: transfer.name,
        email: transfer.email,
    }
}

/// Who sells, as the order remembers it; one from before sellers were remembered has the installation's.
pub(crate) fn seller(app: &App, order: &OrderRow) -> Option<Seller> {
    if order.seller_name.is_empty() {
        return Some(app.installation_seller());
    }
    Some(Seller {
        name: order.seller_name.clone(),
        address: order.seller_address.clone(),
        tax_id: order.seller_tax_id.clone(),
        contact: order.seller_contact.clone(),
    })
}

/// What is still to be paid once a part has arrived.
fn balance(status: OrderStatus, attempt: &AttemptRow) -> Option<Money> {
    let left = attempt.left_minor();
    let waits = status == OrderStatus::AwaitingPayment && attempt.is_open();
    if !waits || left == 0 {
        return None;
    }
    minor(attempt.amount_minor - left, &attempt.currency)
}

fn choices(app: &App, order: &OrderRow, status: OrderStatus) -> Vec<String> {
    match status {
        OrderStatus::AwaitingPayment | OrderStatus::Processing => app
            .providers
            .for_order(order)
            .map(|provider| provider.name().to_owned())
            .collect(),
        _ => Vec::new(),
    }
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

struct Everything {
    order: OrderRow,
    attempt: Option<AttemptRow>,
    lines: Vec<LineRow>,
    refunds: Vec<RefundRow>,
    events: Vec<EventRow>,
    transfers: Vec<TransferRow>,
    offer: Option<Offer>,
    /// As it was before anything else was read, so that it is never newer than the rest.
    mark: String,
}

async fn read(conn: &mut PgConnection, id: OrderId) -> Result<Everything, Error> {
    let mark = mark(conn, id).await?;
    let order = store::find_order(conn, id)
        .await?
        .ok_or(Error::OrderNotFound)?;
    let attempt = store::newest_attempt(conn, id).await?;
    let lines = read_lines(conn, id).await?;
    let refunds = refunds::of_order(conn, id).await?;
    let events = sqlx::query_as!(
        EventRow,
        "SELECT from_status, to_status, reason, at FROM order_events WHERE order_id = $1 ORDER BY id",
        id.uuid(),
    );
    let events = events.fetch_all(&mut *conn).await?;
    let transfers = transfers::holders(transfers::of_order(conn, id).await?);
    Ok(Everything {
        mark,
        offer: offer(conn, &order).await?,
        order,
        attempt,
        lines,
        refunds,
        events,
        transfers,
    })
}

/// The lines of several orders, by order.
pub(crate) async fn lines_of(
    conn: &mut PgConnection,
    orders: &[Uuid],
) -> Result<HashMap<Uuid, Vec<LineRow>>, DbError> {
    let rows = sqlx::query!(
        "SELECT order_id, ticket_type_id, category, quantity, unit_price_minor, line_total_minor,
             unit_fee_minor, tax_rate_ppm, tax_minor, refunded_quantity
         FROM order_lines WHERE order_id = ANY($1) ORDER BY order_id, position",
        orders,
    );
    let mut lines: HashMap<Uuid, Vec<LineRow>> = HashMap::with_capacity(orders.len());
    for row in rows.fetch_all(conn).await? {
        lines.entry(row.order_id).or_default().push(LineRow {
            ticket_type_id: row.ticket_type_id,
            category: row.category,
            quantity: row.quantity,
            unit_price_minor: row.unit_price_minor,
            line_total_minor: row.line_total_minor,
            unit_fee_minor: row.unit_fee_minor,
            tax_rate_ppm: row.tax_rate_ppm,
            tax_minor: row.tax_minor,
            refunded_quantity: row.refunded_quantity,
        });
    }
    Ok(lines)
}

async fn read_lines(conn: &mut PgConnection, id: OrderId) -> Result<Vec<LineRow>, Error> {
    let lines = sqlx::query_as!(
        LineRow,
        "SELECT ticket_type_id, category, quantity, unit_price_minor, line_total_minor,
             unit_fee_minor, tax_rate_ppm, tax_minor, refunded_quantity
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
        unit_fee: money(line.unit_fee_minor),
        tax_rate_ppm: line.tax_rate_ppm.unsigned_abs(),
        tax: money(line.tax_minor),
        refunded_quantity: line.refunded_quantity.unsigned_abs(),
    }
}

fn wire_attempt(app: &App, attempt: AttemptRow) -> Result<PaymentAttempt, Error> {
    let status = attempt.status()?;
    let waits = status == AttemptStatus::RequiresAction;
    let captured = Some(attempt.captured_minor).filter(|minor| *minor > 0);
    let captured_currency = attempt.captured_currency.as_ref();
    Ok(PaymentAttempt {
        instructions: if waits {
            instructions(app, &attempt)?
        } else {
            String::new()
        },
        captured: captured
            .zip(captured_currency)
            .and_then(|(amount, currency)| minor(amount, currency)),
        provider: attempt.provider,
        status: status.wire().into(),
        payment_ref: attempt.provider_ref.unwrap_or_default(),
        checkout_url: attempt.checkout_url.filter(|_| waits).unwrap_or_default(),
        expires_at: Some(proto::timestamp(attempt.deadline)),
    })
}

/// How to pay where there is no page: the amount is what is still to come.
fn instructions(app: &App, attempt: &AttemptRow) -> Result<String, Error> {
    let (Some(provider), Some(reference)) = (
        app.providers.get(&attempt.provider),
        attempt.provider_ref.as_deref(),
    ) else {
        return Ok(String::new());
    };
    let currency = attempt
        .currency
        .parse()
        .map_err(|_| Error::Broken("an attempt has no currency"))?;
    let rest = attempt.amount_minor - attempt.left_minor();
    Ok(provider.instructions(reference, base::Money::new(rest, currency)))
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
