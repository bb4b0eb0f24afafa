use kit::Failure;
use proto::ticket;
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use super::{Availability, EventStatus, Money, optional_time, time_of};

/// A concert.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    pub id: String,
    /// For links; never changes.
    #[schema(example = "moonlight-sessions")]
    pub slug: String,
    pub title: String,
    pub description: String,
    pub location: String,
    /// In UTC.
    #[serde(with = "rfc3339")]
    pub date_time: OffsetDateTime,
    /// The IANA zone that the date is read in.
    #[schema(example = "Europe/Berlin")]
    pub timezone: String,
    pub status: EventStatus,
    /// The cheapest ticket type; null while there is none.
    pub price_from: Option<Money>,
    pub availability: Availability,
}

impl TryFrom<ticket::Event> for Event {
    type Error = Failure;

    fn try_from(event: ticket::Event) -> Result<Self, Failure> {
        Ok(Self {
            date_time: time_of(event.date_time.as_ref(), "date_time")?,
            status: EventStatus::of(event.status)?,
            price_from: event.price_from.map(Money::from),
            availability: Availability::of(event.availability)?,
            id: event.id,
            slug: event.slug,
            title: event.title,
            description: event.description,
            location: event.location,
            timezone: event.timezone,
        })
    }
}

/// A kind of ticket of one concert.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketType {
    pub id: String,
    #[schema(example = "Standing")]
    pub category: String,
    pub price: Money,
    /// Null means unlimited.
    pub remaining: Option<i64>,
    pub availability: Availability,
    /// Null means at once.
    #[serde(with = "rfc3339::option")]
    pub sales_start: Option<OffsetDateTime>,
    /// Null means until the concert begins.
    #[serde(with = "rfc3339::option")]
    pub sales_end: Option<OffsetDateTime>,
    pub min_per_order: u32,
    pub max_per_order: u32,
}

impl TryFrom<ticket::TicketType> for TicketType {
    type Error = Failure;

    fn try_from(kind: ticket::TicketType) -> Result<Self, Failure> {
        Ok(Self {
            price: Money::required(kind.price, "price")?,
            availability: Availability::of(kind.availability)?,
            sales_start: optional_time(kind.sales_start.as_ref())?,
            sales_end: optional_time(kind.sales_end.as_ref())?,
            id: kind.id,
            category: kind.category,
            remaining: kind.remaining,
            min_per_order: kind.min_per_order,
            max_per_order: kind.max_per_order,
        })
    }
}

/// A concert with its ticket types.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventDetail {
    #[serde(flatten)]
    pub event: Event,
    pub ticket_types: Vec<TicketType>,
}

/// A concert as admins see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdminEvent {
    #[serde(flatten)]
    pub event: Event,
    /// ISO 4217; every ticket type has it.
    pub currency: String,
    /// Rises with every change; send it back as `If-Match`.
    pub version: i64,
}

impl TryFrom<ticket::Event> for AdminEvent {
    type Error = Failure;

    fn try_from(event: ticket::Event) -> Result<Self, Failure> {
        let (currency, version) = (event.currency.clone(), event.version);
        Ok(Self {
            event: event.try_into()?,
            currency,
            version,
        })
    }
}

/// A kind of ticket as admins see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdminTicketType {
    #[serde(flatten)]
    pub ticket_type: TicketType,
    pub event_id: String,
    /// Null means unlimited.
    pub total_stock: Option<i64>,
    /// Rises with every change; send it back as `If-Match`.
    pub version: i64,
}

impl TryFrom<ticket::TicketType> for AdminTicketType {
    type Error = Failure;

    fn try_from(kind: ticket::TicketType) -> Result<Self, Failure> {
        let (event_id, total_stock, version) =
            (kind.event_id.clone(), kind.total_stock, kind.version);
        Ok(Self {
            ticket_type: kind.try_into()?,
            event_id,
            total_stock,
            version,
        })
    }
}
