//! From the message to what is rendered: the parts that several kinds have in common. A message is
//! checked once, here and in the file of its kind.

use base::{EmailAddress, Sealer};
use proto::{
    ConvertError, common,
    event::{EventSnapshot, OrderFacts},
};

use time::OffsetDateTime;

use crate::{
    Config,
    error::Error,
    render::{About, Event, Language, Seller},
};

const ORDER_LINK: &str = "order-link";
const UNSUBSCRIBE_LINK: &str = "unsubscribe-link";

/// Reads messages.
pub(crate) struct Facts {
    sealer: Sealer,
    public_url: String,
    seller_name: String,
}

/// A field error names what the message lacks.
impl Facts {
    pub fn new(config: &Config) -> Self {
        Self {
            sealer: config.link_seal_key.clone(),
            public_url: config.public_url.trim_end_matches('/').to_owned(),
            seller_name: config.seller_name.clone(),
        }
    }

    /// An order and its total.
    pub fn about(&self, order: Option<&OrderFacts>) -> Result<About, Error> {
        let total = order.and_then(|order| order.total.as_ref());
        let about = self.about_without_total(order)?;
        Ok(About {
            total: Some(money("total", total)?),
            ..about
        })
    }

    /// An order, for somebody who did not pay for it.
    pub fn about_without_total(&self, order: Option<&OrderFacts>) -> Result<About, Error> {
        let missing = || Error::field("order", ConvertError::Missing);
        let order = order.ok_or_else(missing)?;
        Ok(About {
            id: parse("order_id", &order.order_id)?,
            number: order.number.clone(),
            email: email(&order.email)?,
            name: name(&order.name),
            language: Language::of(&order.locale),
            total: None,
            link: self.link(&order.sealed_order_link)?,
            unsubscribe: self.unsubscribe(&order.sealed_unsubscribe_link)?,
            event: self.event(order.event.as_ref())?,
            seller: self.seller(order.seller.as_ref()),
        })
    }

    pub fn link(&self, sealed: &[u8]) -> Result<String, Error> {
        self.open("sealed_order_link", ORDER_LINK, sealed)
    }

    /// Orders from before there was such a link have none.
    fn unsubscribe(&self, sealed: &[u8]) -> Result<Option<String>, Error> {
        if sealed.is_empty() {
            return Ok(None);
        }
        let opened = self.open("sealed_unsubscribe_link", UNSUBSCRIBE_LINK, sealed);
        opened.map(Some)
    }

    /// What was sealed for this service with that purpose.
    pub fn open(&self, field: &str, purpose: &str, sealed: &[u8]) -> Result<String, Error> {
        self.sealer
            .open(purpose, sealed)
            .and_then(|opened| String::from_utf8(opened).ok())
            .ok_or_else(|| Error::field(field, "does not open with LINK_SEAL_KEY"))
    }

    /// The installation, where a message is about no order.
    pub fn house(&self) -> Seller {
        self.seller(None)
    }

    pub fn event(&self, event: Option<&EventSnapshot>) -> Result<Event, Error> {
        let missing = || Error::field("event", ConvertError::Missing);
        let event = event.ok_or_else(missing)?;
        let starts_at = moment("event.date_time", event.date_time.as_ref());
        Ok(Event {
            id: parse("event.id", &event.id)?,
            title: event.title.clone(),
            location: event.location.clone(),
            description: String::new(),
            starts_at: starts_at?,
            zone: parse("event.timezone", &event.timezone)?,
            version: event.version,
            public_url: format!("{}/events/{}", self.public_url, event.slug),
        })
    }

    /// Orders from before sellers had particulars name none.
    pub fn seller(&self, seller: Option<&common::Seller>) -> Seller {
        let seller = seller.cloned().unwrap_or_default();
        let named = !seller.name.trim().is_empty();
        Seller {
            name: if named {
                seller.name
            } else {
                self.seller_name.clone()
            },
            address: seller.address,
            tax_id: seller.tax_id,
            contact: seller.contact,
        }
    }
}

pub(crate) fn moment(
    field: &str,
    at: Option<&prost_types::Timestamp>,
) -> Result<OffsetDateTime, Error> {
    let at = at.ok_or(ConvertError::Missing);
    at.and_then(proto::timestamp_from)
        .map_err(|rule| Error::field(field, rule))
}

/// Of what is told several times: the first has 1 in its message and 0 in its row.
pub(crate) fn revision(number: u32) -> Result<i32, Error> {
    let revision = number.checked_sub(1);
    revision
        .and_then(|revision| i32::try_from(revision).ok())
        .ok_or_else(|| Error::field("number", "must be 1 or more"))
}

pub(crate) fn email(text: &str) -> Result<String, Error> {
    Ok(parse::<EmailAddress>("email", text)?.as_str().to_owned())
}

pub(crate) fn name(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(crate) fn money(field: &str, money: Option<&common::Money>) -> Result<base::Money, Error> {
    proto::money_from(money).map_err(|rule| Error::field(field, rule))
}

/// Money that goes back. Nobody is told of nothing.
pub(crate) fn refund(field: &str, amount: Option<&common::Money>) -> Result<base::Money, Error> {
    let amount = money(field, amount)?;
    if amount.amount_minor <= 0 {
        return Err(Error::field(field, "must be more than nothing"));
    }
    Ok(amount)
}

pub(crate) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: &str,
) -> Result<T, Error> {
    text.parse().map_err(|rule| Error::field(field, rule))
}
