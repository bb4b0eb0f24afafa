use kit::Failure;
use proto::{payment, ticket, user};
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use super::{
    AttemptStatus, CancellationOffer, HandedOn, Line, Money, OrderStatus, Preferences, Refund,
    Role, Seller, TicketStatus, all, filled, optional_time, time_of,
};

/// A guest's order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Order {
    pub id: String,
    /// For people: short, easy to read out, not secret.
    #[schema(example = "BX-7K3M9Q")]
    pub number: String,
    pub status: OrderStatus,
    pub event: OrderEvent,
    pub email: String,
    pub phone_number: String,
    pub name: String,
    pub lines: Vec<Line>,
    /// With tax and fee.
    pub total_amount: Money,
    /// The tax contained in the total.
    pub tax_total: Money,
    /// What is still to be paid; null unless a part has arrived.
    pub balance_due: Option<Money>,
    /// The newest try to pay; null where nothing is to be paid.
    pub payment: Option<Payment>,
    /// What another try may be paid with, the preferred one first.
    pub payment_providers: Vec<String>,
    /// Money that goes back, oldest first.
    pub refunds: Vec<Refund>,
    /// Who sells; null until the tickets are bound to the order.
    pub seller: Option<Seller>,
    /// Empty until the order is fulfilled.
    pub tickets: Vec<Ticket>,
    /// Tickets that were handed on, as they belong now; their codes are not told here.
    pub transferred_tickets: Vec<HandedOn>,
    pub timeline: Vec<TimelineEntry>,
    pub preferences: Preferences,
    /// Null where the order is not paid, or cannot be cancelled (any more).
    pub cancellation: Option<CancellationOffer>,
    /// The version of the terms that were accepted; null where there were none.
    pub accepted_terms: Option<String>,
    #[serde(with = "rfc3339::option")]
    pub terms_accepted_at: Option<OffsetDateTime>,
    /// Differs whenever anything of the order has changed; `GET …/mark` answers it alone.
    pub mark: String,
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
}

impl TryFrom<payment::Order> for Order {
    type Error = Failure;

    fn try_from(order: payment::Order) -> Result<Self, Failure> {
        let total_amount = Money::required(order.total_amount, "total_amount")?;
        Ok(Self {
            status: OrderStatus::of(order.status)?,
            event: OrderEvent {
                id: order.event_id,
                slug: order.event_slug,
                title: order.event_title,
                location: order.event_location,
                date_time: optional_time(order.event_date_time.as_ref())?,
                timezone: order.event_timezone,
            },
            lines: all(order.lines)?,
            tax_total: Money::or_zero(order.tax_total, &total_amount),
            total_amount,
            balance_due: order.balance_due.map(Money::from),
            payment: order.payment.map(Payment::try_from).transpose()?,
            payment_providers: order.payment_providers,
            refunds: all(order.refunds)?,
            seller: order.seller.map(Seller::from),
            tickets: all(order.tickets)?,
            transferred_tickets: all(order.transferred_tickets)?,
            timeline: all(order.timeline)?,
            preferences: order.preferences.unwrap_or_default().into(),
            cancellation: order
                .cancellation
                .map(CancellationOffer::try_from)
                .transpose()?,
            mark: order.mark,
            accepted_terms: filled(order.accepted_terms),
            terms_accepted_at: optional_time(order.terms_accepted_at.as_ref())?,
            created_at: time_of(order.created_at.as_ref(), "created_at")?,
            id: order.id,
            number: order.number,
            email: order.email,
            phone_number: order.phone_number,
            name: order.name,
        })
    }
}

/// The concert as it was when it was bought.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderEvent {
    pub id: String,
    pub slug: String,
    pub title: String,
    pub location: String,
    /// Null until the tickets are bound to the order.
    #[serde(with = "rfc3339::option")]
    pub date_time: Option<OffsetDateTime>,
    pub timezone: String,
}

/// One try to pay.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payment {
    /// Empty until it is chosen.
    #[schema(example = "sandbox")]
    pub provider: String,
    pub status: AttemptStatus,
    /// The provider's own reference; null until it answered.
    pub payment_ref: Option<String>,
    /// The page to pay on; null until the provider answered, and once the try has ended.
    pub checkout_url: Option<String>,
    #[serde(with = "rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// How to pay where there is no page, such as the account for a bank transfer; null where
    /// there is one. Several lines.
    pub instructions: Option<String>,
    /// What has arrived; null while nothing has.
    pub captured: Option<Money>,
}

impl Order {
    /// Says that the provider has not answered yet, also where there is no attempt so far.
    pub fn mark_preparing(&mut self) {
        let payment = self.payment.get_or_insert_with(|| Payment {
            provider: String::new(),
            status: AttemptStatus::Preparing,
            payment_ref: None,
            checkout_url: None,
            expires_at: None,
            instructions: None,
            captured: None,
        });
        payment.status = AttemptStatus::Preparing;
    }
}

impl TryFrom<payment::PaymentAttempt> for Payment {
    type Error = Failure;

    fn try_from(attempt: payment::PaymentAttempt) -> Result<Self, Failure> {
        Ok(Self {
            provider: attempt.provider,
            status: AttemptStatus::of(attempt.status)?,
            payment_ref: filled(attempt.payment_ref),
            checkout_url: filled(attempt.checkout_url),
            expires_at: optional_time(attempt.expires_at.as_ref())?,
            instructions: filled(attempt.instructions),
            captured: attempt.captured.map(Money::from),
        })
    }
}

/// One admission.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ticket {
    pub id: String,
    /// What the QR code carries; whoever has it gets in. Empty once the ticket was handed on.
    pub code: String,
    pub category: String,
    pub status: TicketStatus,
}

impl TryFrom<ticket::Ticket> for Ticket {
    type Error = Failure;

    fn try_from(ticket: ticket::Ticket) -> Result<Self, Failure> {
        Ok(Self {
            status: TicketStatus::of(ticket.status)?,
            id: ticket.id,
            code: ticket.code,
            category: ticket.category,
        })
    }
}

/// One line of the order's story.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineEntry {
    #[serde(with = "rfc3339")]
    pub at: OffsetDateTime,
    /// A word such as `paid`.
    pub what: String,
    /// A sentence; may be empty.
    pub detail: String,
}

impl TryFrom<payment::TimelineEntry> for TimelineEntry {
    type Error = Failure;

    fn try_from(entry: payment::TimelineEntry) -> Result<Self, Failure> {
        Ok(Self {
            at: time_of(entry.at.as_ref(), "at")?,
            what: entry.what,
            detail: entry.detail,
        })
    }
}

/// An order with what only its maker gets.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlacedOrder {
    #[serde(flatten)]
    pub order: Order,
    /// Proves that the caller may see the order.
    pub secret: String,
    /// Proves that the caller placed the order; no mail carries it. Correcting the address takes it.
    pub purchase_proof: String,
    /// Opens the order's page in a browser.
    #[schema(example = "https://tickets.example.org/o/{id}/{secret}")]
    pub link: String,
}

/// An admin's account.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    pub id: String,
    pub email: String,
    pub role: Role,
}

impl TryFrom<user::User> for User {
    type Error = Failure;

    fn try_from(user: user::User) -> Result<Self, Failure> {
        Ok(Self {
            role: Role::of(user.role)?,
            id: user.id,
            email: user.email,
        })
    }
}
