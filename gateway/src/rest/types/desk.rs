//! What guests do for themselves, as it is told.

use kit::Failure;
use proto::{event, payment};
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use super::{Money, OrderEvent, OrderStatus, Seller, filled, optional_time, time_of};

/// What a guest wants to hear beside the receipt, and in which language.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preferences {
    /// A BCP 47 tag whose first part decides; may be empty.
    #[schema(example = "en")]
    pub locale: String,
    /// A message before the concert.
    pub reminder: bool,
    /// News beside the receipt.
    pub notices: bool,
}

impl From<payment::Preferences> for Preferences {
    fn from(preferences: payment::Preferences) -> Self {
        Self {
            locale: preferences.locale,
            reminder: preferences.reminder,
            notices: preferences.notices,
        }
    }
}

/// What comes of cancelling a paid order now.
#[derive(Debug, Serialize, ToSchema)]
pub struct CancellationOffer {
    /// Exactly what goes back; `expected_refund` of the cancellation.
    pub refund: Money,
    /// What is kept.
    pub fee: Money,
    #[serde(with = "rfc3339")]
    pub until: OffsetDateTime,
}

impl TryFrom<payment::Cancellation> for CancellationOffer {
    type Error = Failure;

    fn try_from(found: payment::Cancellation) -> Result<Self, Failure> {
        Ok(Self {
            refund: Money::required(found.refund, "refund")?,
            fee: Money::required(found.fee, "fee")?,
            until: time_of(found.until.as_ref(), "until")?,
        })
    }
}

/// A ticket of the order that belongs to somebody else now.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandedOn {
    pub ticket_id: String,
    pub name: String,
    pub email: String,
    #[serde(with = "rfc3339")]
    pub at: OffsetDateTime,
    /// Until the new code exists and its mail is written.
    pub pending: bool,
}

impl TryFrom<payment::TransferredTicket> for HandedOn {
    type Error = Failure;

    fn try_from(found: payment::TransferredTicket) -> Result<Self, Failure> {
        Ok(Self {
            at: time_of(found.at.as_ref(), "at")?,
            ticket_id: found.ticket_id,
            name: found.name,
            email: found.email,
            pending: found.pending,
        })
    }
}

/// An order behind a code.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundOrder {
    pub id: String,
    #[schema(example = "BX-7K3M9Q")]
    pub number: String,
    pub status: OrderStatus,
    pub event_title: String,
    pub event_location: String,
    #[serde(with = "rfc3339::option")]
    pub event_date_time: Option<OffsetDateTime>,
    pub event_timezone: String,
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// Proves that the caller may see the order.
    pub secret: String,
    /// Opens the order's page in a browser.
    pub link: String,
}

impl FoundOrder {
    pub fn of(found: payment::FoundOrder, link: impl Fn(&str) -> String) -> Result<Self, Failure> {
        Ok(Self {
            link: link(&format!("/o/{}/{}", found.id, found.secret)),
            status: OrderStatus::of(found.status)?,
            event_date_time: optional_time(found.event_date_time.as_ref())?,
            created_at: time_of(found.created_at.as_ref(), "created_at")?,
            id: found.id,
            number: found.number,
            event_title: found.event_title,
            event_location: found.event_location,
            event_timezone: found.event_timezone,
            secret: found.secret,
        })
    }
}

/// A ticket that was handed on, for whom it belongs to now.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransferredTicket {
    pub ticket_id: String,
    /// What the QR code carries; whoever has it gets in.
    pub code: String,
    pub category: String,
    /// To whom it belongs.
    pub name: String,
    /// Of the order that it is from.
    #[schema(example = "BX-7K3M9Q")]
    pub number: String,
    pub event: OrderEvent,
    pub seller: Option<Seller>,
}

impl TransferredTicket {
    /// None where the facts have no ticket.
    pub fn of(facts: event::OrderPaid) -> Result<Option<Self>, Failure> {
        let event = facts.event.unwrap_or_default();
        let Some(ticket) = facts.tickets.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some(Self {
            ticket_id: ticket.id,
            code: ticket.code,
            category: ticket.category,
            name: facts.name,
            number: facts.number,
            event: OrderEvent {
                date_time: optional_time(event.date_time.as_ref())?,
                id: event.id,
                slug: event.slug,
                title: event.title,
                location: event.location,
                timezone: event.timezone,
            },
            seller: facts.seller.map(Seller::from),
        }))
    }
}

/// On which terms orders are placed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Terms {
    /// What `accepted_terms` of an order takes; null where there are no terms.
    pub version: Option<String>,
    /// Plain text of several lines; null where there are no terms.
    pub text: Option<String>,
}

impl From<payment::GetTermsResponse> for Terms {
    fn from(terms: payment::GetTermsResponse) -> Self {
        Self {
            version: filled(terms.version),
            text: filled(terms.text),
        }
    }
}
