//! An order as admins see it: in a list, and with its whole story.

use kit::Failure;
use proto::payment;
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use super::{
    AttemptStatus, Money, Order, OrderStatus, RefundDetail, all, broken, filled, optional_time,
    time_of,
};

/// An order in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderSummary {
    pub id: String,
    #[schema(example = "BX-7K3M9Q")]
    pub number: String,
    pub status: OrderStatus,
    pub event_id: String,
    pub event_title: String,
    pub email: String,
    pub name: String,
    pub phone_number: String,
    pub total_amount: Money,
    /// What has arrived.
    pub captured: Money,
    /// What has gone back, or is on its way.
    pub refunded: Money,
    /// Null where nothing is to be paid.
    pub provider: Option<String>,
    pub payment_ref: Option<String>,
    pub ticket_count: u32,
    /// A sentence for a person; null where nobody needs to look.
    pub needs_attention: Option<String>,
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "rfc3339::option")]
    pub paid_at: Option<OffsetDateTime>,
}

impl TryFrom<payment::OrderSummary> for OrderSummary {
    type Error = Failure;

    fn try_from(order: payment::OrderSummary) -> Result<Self, Failure> {
        let total_amount = Money::required(order.total_amount, "total_amount")?;
        Ok(Self {
            status: OrderStatus::of(order.status)?,
            captured: Money::or_zero(order.captured, &total_amount),
            refunded: Money::or_zero(order.refunded, &total_amount),
            created_at: time_of(order.created_at.as_ref(), "created_at")?,
            paid_at: optional_time(order.paid_at.as_ref())?,
            total_amount,
            id: order.id,
            number: order.number,
            event_id: order.event_id,
            event_title: order.event_title,
            email: order.email,
            name: order.name,
            phone_number: order.phone_number,
            provider: filled(order.provider),
            payment_ref: filled(order.payment_ref),
            ticket_count: order.ticket_count,
            needs_attention: filled(order.needs_attention),
        })
    }
}

/// One order with everything that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderStory {
    /// As its guest sees it.
    pub order: Order,
    /// A sentence for a person; null where nobody needs to look.
    pub needs_attention: Option<String>,
    /// Every try to pay, oldest first.
    pub attempts: Vec<Attempt>,
    pub refunds: Vec<RefundDetail>,
    pub history: Vec<HistoryEntry>,
    /// What the provider reported.
    pub provider_events: Vec<ProviderEvent>,
    /// What it came to, account by account; adds up to zero in each currency.
    pub account_entries: Vec<AccountEntry>,
}

impl TryFrom<payment::InspectOrderResponse> for OrderStory {
    type Error = Failure;

    fn try_from(found: payment::InspectOrderResponse) -> Result<Self, Failure> {
        Ok(Self {
            order: found.order.ok_or_else(|| broken("order"))?.try_into()?,
            needs_attention: filled(found.needs_attention),
            attempts: all(found.attempts)?,
            refunds: all(found.refunds)?,
            history: all(found.history)?,
            provider_events: all(found.provider_events)?,
            account_entries: all(found.account_entries)?,
        })
    }
}

/// One try to pay, as admins see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentAttempt)]
pub struct Attempt {
    pub id: String,
    /// From 1, within its order.
    pub number: u32,
    pub provider: String,
    pub status: AttemptStatus,
    /// The provider's own reference; null until it answered.
    pub provider_ref: Option<String>,
    pub amount: Money,
    /// What arrived; null while nothing has.
    pub captured: Option<Money>,
    pub refunded: Money,
    pub failure_reason: Option<String>,
    /// How often the provider was asked about it.
    pub checks: u32,
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "rfc3339::option")]
    pub deadline: Option<OffsetDateTime>,
    #[serde(with = "rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

impl TryFrom<payment::AttemptDetail> for Attempt {
    type Error = Failure;

    fn try_from(attempt: payment::AttemptDetail) -> Result<Self, Failure> {
        let amount = Money::required(attempt.amount, "amount")?;
        Ok(Self {
            status: AttemptStatus::of(attempt.status)?,
            captured: attempt.captured.map(Money::from),
            refunded: Money::or_zero(attempt.refunded, &amount),
            created_at: time_of(attempt.created_at.as_ref(), "created_at")?,
            deadline: optional_time(attempt.deadline.as_ref())?,
            ended_at: optional_time(attempt.ended_at.as_ref())?,
            amount,
            id: attempt.id,
            number: attempt.number,
            provider: attempt.provider,
            provider_ref: filled(attempt.provider_ref),
            failure_reason: filled(attempt.failure_reason),
            checks: attempt.checks,
        })
    }
}

/// A step of the order, or a note beside it where `from` and `to` are the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryEntry {
    #[serde(with = "rfc3339")]
    pub at: OffsetDateTime,
    /// A user's id, `guest`, or the part of the service that did it.
    pub actor: String,
    /// Null for the first.
    pub from: Option<OrderStatus>,
    pub to: OrderStatus,
    pub reason: String,
    /// Names the request in the logs; null where it was none.
    pub trace_id: Option<String>,
}

impl TryFrom<payment::HistoryEntry> for HistoryEntry {
    type Error = Failure;

    fn try_from(entry: payment::HistoryEntry) -> Result<Self, Failure> {
        let from = (entry.from != 0).then(|| OrderStatus::of(entry.from));
        Ok(Self {
            at: time_of(entry.at.as_ref(), "at")?,
            from: from.transpose()?,
            to: OrderStatus::of(entry.to)?,
            actor: entry.actor,
            reason: entry.reason,
            trace_id: filled(entry.trace_id),
        })
    }
}

/// A provider's report about the order.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderEvent {
    /// The provider's id of it.
    pub event_id: String,
    pub kind: String,
    pub state: String,
    /// What came of it; null until it was applied.
    pub outcome: Option<String>,
    #[serde(with = "rfc3339")]
    pub received_at: OffsetDateTime,
}

impl TryFrom<payment::ReceivedEvent> for ProviderEvent {
    type Error = Failure;

    fn try_from(event: payment::ReceivedEvent) -> Result<Self, Failure> {
        Ok(Self {
            received_at: time_of(event.received_at.as_ref(), "received_at")?,
            event_id: event.event_id,
            kind: event.kind,
            state: event.state,
            outcome: filled(event.outcome),
        })
    }
}

/// One side of a booking.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountEntry {
    #[serde(with = "rfc3339")]
    pub at: OffsetDateTime,
    #[schema(example = "capture")]
    pub entry: String,
    #[schema(example = "provider:sandbox")]
    pub account: String,
    /// Debits are positive, credits negative.
    pub amount: Money,
}

impl TryFrom<payment::AccountEntry> for AccountEntry {
    type Error = Failure;

    fn try_from(entry: payment::AccountEntry) -> Result<Self, Failure> {
        Ok(Self {
            at: time_of(entry.at.as_ref(), "at")?,
            amount: Money::required(entry.amount, "amount")?,
            entry: entry.entry,
            account: entry.account,
        })
    }
}
