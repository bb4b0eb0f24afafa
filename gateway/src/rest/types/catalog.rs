use kit::Failure;
use proto::ticket;
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use super::{
    Availability, CancellationRule, EventImage, EventStatus, Fee, Money, PaymentProvider, Seller,
    broken, filled, optional_time, time_of,
};

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
    /// The date that the first tickets of a postponed concert were sold for; null where it was not
    /// postponed.
    #[serde(with = "rfc3339::option")]
    pub previous_date_time: Option<OffsetDateTime>,
    /// The IANA zone that the date is read in.
    #[schema(example = "Europe/Berlin")]
    pub timezone: String,
    pub status: EventStatus,
    /// The cheapest ticket type; null while there is none.
    pub price_from: Option<Money>,
    pub availability: Availability,
    /// How guests may cancel what they have paid; null where they may not.
    pub cancellation: Option<CancellationRule>,
    /// Null where it has none.
    pub image: Option<EventImage>,
}

impl TryFrom<ticket::Event> for Event {
    type Error = Failure;

    fn try_from(event: ticket::Event) -> Result<Self, Failure> {
        Ok(Self {
            date_time: time_of(event.date_time.as_ref(), "date_time")?,
            previous_date_time: optional_time(event.previous_date_time.as_ref())?,
            status: EventStatus::of(event.status)?,
            price_from: event.price_from.map(Money::from),
            availability: Availability::of(event.availability)?,
            cancellation: event.cancellation.map(CancellationRule::from),
            image: event.image.map(EventImage::from),
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
    /// What a guest pays for one, with tax and fee.
    pub price: Money,
    /// The service fee in `price`.
    pub fee: Money,
    /// Parts per million, contained in `price`: 190000 is 19 %.
    #[schema(example = 190000)]
    pub tax_rate_ppm: u32,
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
    /// Over all orders of a guest. Null means no limit.
    pub max_per_guest: Option<u32>,
}

impl TryFrom<ticket::TicketType> for TicketType {
    type Error = Failure;

    fn try_from(kind: ticket::TicketType) -> Result<Self, Failure> {
        let price = Money::required(kind.unit_price, "unit_price")?;
        Ok(Self {
            fee: Money::or_zero(kind.unit_fee, &price),
            price,
            tax_rate_ppm: kind.tax_rate_ppm,
            availability: Availability::of(kind.availability)?,
            sales_start: optional_time(kind.sales_start.as_ref())?,
            sales_end: optional_time(kind.sales_end.as_ref())?,
            id: kind.id,
            category: kind.category,
            remaining: kind.remaining,
            min_per_order: kind.min_per_order,
            max_per_order: kind.max_per_order,
            max_per_guest: kind.max_per_guest,
        })
    }
}

/// A concert with its ticket types.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventDetail {
    #[serde(flatten)]
    pub event: Event,
    pub ticket_types: Vec<TicketType>,
    /// What an order can be paid with, the default first; empty while that is not known.
    pub payment_providers: Vec<PaymentProvider>,
}

/// A concert as admins see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdminEvent {
    #[serde(flatten)]
    pub event: Event,
    /// ISO 4217; every ticket type has it.
    pub currency: String,
    /// What guests may pay with, the preferred one first; empty means every enabled one.
    #[schema(example = json!(["sandbox"]))]
    pub payment_providers: Vec<String>,
    /// Null means the installation's.
    pub seller: Option<Seller>,
    /// Null means none.
    pub fee: Option<Fee>,
    /// How many days a guest has for a bank transfer; 0 means the installation's default.
    pub manual_payment_days: u32,
    /// What guests are told about a cancelled concert.
    pub cancel_reason: Option<String>,
    /// Set while it is archived: in no list, neither changed nor sold.
    #[serde(with = "rfc3339::option")]
    pub archived_at: Option<OffsetDateTime>,
    /// Rises with every change; send it back as `If-Match`.
    pub version: i64,
}

impl AdminEvent {
    /// A concert that the contract promises.
    pub fn required(event: Option<ticket::Event>) -> Result<Self, Failure> {
        event.ok_or_else(|| broken("event"))?.try_into()
    }
}

impl TryFrom<ticket::Event> for AdminEvent {
    type Error = Failure;

    fn try_from(mut event: ticket::Event) -> Result<Self, Failure> {
        Ok(Self {
            currency: std::mem::take(&mut event.currency),
            payment_providers: std::mem::take(&mut event.payment_providers),
            seller: event.seller.take().map(Seller::from),
            fee: event.fee.take().as_ref().and_then(Fee::of),
            manual_payment_days: event.manual_payment_days,
            cancel_reason: filled(std::mem::take(&mut event.cancel_reason)),
            archived_at: optional_time(event.archived_at.as_ref())?,
            version: event.version,
            event: event.try_into()?,
        })
    }
}

/// A kind of ticket as admins see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdminTicketType {
    pub id: String,
    pub event_id: String,
    #[schema(example = "Standing")]
    pub category: String,
    /// What the admin set, with tax.
    pub price: Money,
    /// What a guest pays for one: `price`, and the fee where it is added.
    pub unit_price: Money,
    /// The service fee in `unit_price`.
    pub fee: Money,
    /// Parts per million, contained in the price: 190000 is 19 %.
    #[schema(example = 190000)]
    pub tax_rate_ppm: u32,
    /// Null means unlimited.
    pub total_stock: Option<i64>,
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
    /// Over all orders of a guest. Null means no limit.
    pub max_per_guest: Option<u32>,
    /// Of its own stock, in the holds of guests.
    pub held: i64,
    /// Of its own stock.
    pub sold: i64,
    /// Of its own stock, not sold: the promoter's own.
    pub blocked: i64,
    /// Shared pools that it draws from besides its own stock.
    pub pool_ids: Vec<String>,
    /// Rises with every change; send it back as `If-Match`.
    pub version: i64,
}

impl TryFrom<ticket::TicketType> for AdminTicketType {
    type Error = Failure;

    fn try_from(mut kind: ticket::TicketType) -> Result<Self, Failure> {
        let price = Money::required(kind.price.take(), "price")?;
        let (event_id, total_stock) = (std::mem::take(&mut kind.event_id), kind.total_stock);
        let (version, held, sold, blocked) = (kind.version, kind.held, kind.sold, kind.blocked);
        let pool_ids = std::mem::take(&mut kind.pool_ids);
        let seen = TicketType::try_from(kind)?;
        Ok(Self {
            event_id,
            total_stock,
            version,
            price,
            unit_price: seen.price,
            id: seen.id,
            category: seen.category,
            fee: seen.fee,
            tax_rate_ppm: seen.tax_rate_ppm,
            remaining: seen.remaining,
            availability: seen.availability,
            sales_start: seen.sales_start,
            sales_end: seen.sales_end,
            min_per_order: seen.min_per_order,
            max_per_order: seen.max_per_order,
            max_per_guest: seen.max_per_guest,
            held,
            sold,
            blocked,
            pool_ids,
        })
    }
}
