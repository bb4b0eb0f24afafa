//! From the message to what is rendered. The message is checked once, here.

use base::{EmailAddress, Sealer};
use proto::{ConvertError, event::OrderPaid};

use crate::{
    Config,
    error::Error,
    render::{Event, Line, Order, Receipt, Seller, Ticket},
};

const LINK_PURPOSE: &str = "order-link";

/// Reads messages.
pub(crate) struct Facts {
    sealer: Sealer,
    public_url: String,
    seller_name: String,
}

impl Facts {
    pub fn new(config: &Config) -> Self {
        Self {
            sealer: config.link_seal_key.clone(),
            public_url: config.public_url.trim_end_matches('/').to_owned(),
            seller_name: config.seller_name.clone(),
        }
    }

    /// A field error names what the message lacks.
    pub fn receipt(&self, paid: &OrderPaid) -> Result<Receipt, Error> {
        Ok(Receipt {
            order: self.order(paid)?,
            event: self.event(paid)?,
            lines: paid.lines.iter().map(line).collect::<Result<_, _>>()?,
            tickets: paid.tickets.iter().map(ticket).collect::<Result<_, _>>()?,
            seller: Seller {
                name: self.seller_name.clone(),
            },
        })
    }

    fn order(&self, paid: &OrderPaid) -> Result<Order, Error> {
        let link = self
            .sealer
            .open(LINK_PURPOSE, &paid.sealed_order_link)
            .and_then(|link| String::from_utf8(link).ok())
            .ok_or_else(|| Error::field("sealed_order_link", "does not open with LINK_SEAL_KEY"))?;
        let paid_at = paid.paid_at.as_ref().ok_or(ConvertError::Missing);
        let paid_at = paid_at.and_then(proto::timestamp_from);
        Ok(Order {
            id: parse("order_id", &paid.order_id)?,
            number: paid.number.clone(),
            email: parse::<EmailAddress>("email", &paid.email)?
                .as_str()
                .to_owned(),
            name: (!paid.name.is_empty()).then(|| paid.name.clone()),
            phone: paid.phone_number.clone(),
            paid_at: paid_at.map_err(|rule| Error::field("paid_at", rule))?,
            total: money("total", paid.total.as_ref())?,
            link,
        })
    }

    fn event(&self, paid: &OrderPaid) -> Result<Event, Error> {
        let missing = || Error::field("event", ConvertError::Missing);
        let event = paid.event.as_ref().ok_or_else(missing)?;
        let starts_at = event.date_time.as_ref().ok_or(ConvertError::Missing);
        let starts_at = starts_at.and_then(proto::timestamp_from);
        Ok(Event {
            id: parse("event.id", &event.id)?,
            title: event.title.clone(),
            location: event.location.clone(),
            description: String::new(),
            starts_at: starts_at.map_err(|rule| Error::field("event.date_time", rule))?,
            zone: parse("event.timezone", &event.timezone)?,
            public_url: format!("{}/events/{}", self.public_url, event.slug),
        })
    }
}

fn line(line: &proto::event::PaidLine) -> Result<Line, Error> {
    Ok(Line {
        category: line.category.clone(),
        quantity: line.quantity,
        unit_price: money("lines.unit_price", line.unit_price.as_ref())?,
        line_total: money("lines.line_total", line.line_total.as_ref())?,
    })
}

fn ticket(ticket: &proto::event::PaidTicket) -> Result<Ticket, Error> {
    Ok(Ticket {
        id: parse("tickets.id", &ticket.id)?,
        code: ticket.code.clone(),
        category: ticket.category.clone(),
    })
}

fn money(field: &str, money: Option<&proto::common::Money>) -> Result<base::Money, Error> {
    proto::money_from(money).map_err(|rule| Error::field(field, rule))
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: &str,
) -> Result<T, Error> {
    text.parse().map_err(|rule| Error::field(field, rule))
}
