//! The stored facts that receipt, tickets and calendar are rendered from.

use proto::{
    common::Money,
    event::{EventSnapshot, OrderPaid, PaidLine, PaidTicket},
    ticket::Ticket,
};
use time::OffsetDateTime;

use crate::{
    app::App,
    store::OrderRow,
    view::{LineRow, minor, seller},
};

pub(crate) fn order_paid(
    app: &App,
    order: &OrderRow,
    lines: &[LineRow],
    tickets: &[Ticket],
) -> OrderPaid {
    let money = |amount_minor| minor(amount_minor, &order.currency);
    OrderPaid {
        order_id: order.id.to_string(),
        number: order.number.clone(),
        email: order.email.clone(),
        phone_number: order.phone_number.clone(),
        name: order.name.clone(),
        locale: order.locale.clone(),
        paid_at: order.paid_at.map(proto::timestamp),
        total: money(order.total_amount_minor),
        sealed_order_link: app.sealed_link(order),
        event: Some(snapshot(order)),
        lines: lines.iter().map(|line| paid_line(line, money)).collect(),
        tickets: tickets.iter().map(paid_ticket).collect(),
        seller: seller(app, order),
    }
}

pub(super) fn snapshot(order: &OrderRow) -> EventSnapshot {
    EventSnapshot {
        id: order.event_id.map(|id| id.to_string()).unwrap_or_default(),
        slug: order.event_slug.clone().unwrap_or_default(),
        title: order.event_title.clone().unwrap_or_default(),
        location: order.event_location.clone().unwrap_or_default(),
        date_time: order.event_date_time.map(proto::timestamp),
        timezone: order.event_timezone.clone().unwrap_or_default(),
    }
}

fn paid_line(line: &LineRow, money: impl Fn(i64) -> Option<Money>) -> PaidLine {
    PaidLine {
        category: line.category.clone(),
        quantity: line.quantity.unsigned_abs(),
        unit_price: money(line.unit_price_minor),
        line_total: money(line.line_total_minor),
        unit_fee: money(line.unit_fee_minor),
        tax_rate_ppm: line.tax_rate_ppm.unsigned_abs(),
        tax: money(line.tax_minor),
    }
}

fn paid_ticket(ticket: &Ticket) -> PaidTicket {
    PaidTicket {
        id: ticket.id.clone(),
        code: ticket.code.clone(),
        category: ticket.category.clone(),
    }
}

/// When an order was paid; it is, once it has tickets.
pub(crate) fn occurred_at(order: &OrderRow) -> OffsetDateTime {
    order.paid_at.unwrap_or(order.created_at)
}
