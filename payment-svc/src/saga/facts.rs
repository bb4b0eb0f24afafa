//! The stored facts that receipt, tickets and calendar are rendered from.

use base::OrderId;
use proto::{
    common::Money,
    event::{EventSnapshot, OrderPaid, PaidLine, PaidTicket},
    ticket::{EventFacts, Ticket},
};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    app::App,
    error::Error,
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
        revision: 0,
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
        version: order.event_version,
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

/// What an order remembers of its event and the event may change.
#[derive(Clone, Debug)]
pub(crate) struct EventNow {
    /// Of two facts the greater one is newer; 0 where ticket-svc does not say.
    pub version: i64,
    pub title: String,
    pub location: String,
    pub date_time: OffsetDateTime,
    pub timezone: String,
}

impl EventNow {
    pub fn read(event: EventFacts) -> Result<Self, Error> {
        let date_time = event.date_time.as_ref().map(proto::timestamp_from);
        let Some(Ok(date_time)) = date_time else {
            return Err(Error::Broken("ticket-svc told of an event without a time"));
        };
        Ok(Self {
            version: event.version,
            title: event.title,
            location: event.location,
            date_time,
            timezone: event.timezone,
        })
    }

    /// For messages about the order.
    pub fn put_on(&self, order: &mut OrderRow) {
        order.event_version = self.version;
        order.event_title = Some(self.title.clone());
        order.event_location = Some(self.location.clone());
        order.event_date_time = Some(self.date_time);
        order.event_timezone = Some(self.timezone.clone());
    }

    pub async fn store(&self, tx: &mut PgConnection, order: OrderId) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE orders
             SET event_version = $2, event_title = $3, event_location = $4, event_date_time = $5,
                 event_timezone = $6
             WHERE id = $1",
            order.uuid(),
            self.version,
            self.title,
            self.location,
            self.date_time,
            self.timezone,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}
