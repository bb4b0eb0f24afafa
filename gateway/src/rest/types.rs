//! The shapes that several answers share, and how they are made from the contracts' messages.

mod catalog;
mod desk;
mod hold;
mod image;
mod insight;
mod left;
pub mod moment;
mod money;
mod notification;
mod order;
mod pool;
mod refund;
mod story;
mod terms;
mod words;

pub use catalog::{AdminEvent, AdminTicketType, Event, EventDetail, TicketType};
pub use desk::{CancellationOffer, FoundOrder, HandedOn, Preferences, Terms, TransferredTicket};
pub use hold::{Hold, Line, NewLine};
pub use image::EventImage;
pub use insight::{EventInsights, InsightFigures, InsightsLine};
pub use left::Left;
pub use money::Money;
pub use notification::Notification;
pub use order::{Order, OrderEvent, PlacedOrder, Ticket, TimelineEntry, User};
pub use pool::Pool;
pub use refund::{Refund, RefundDetail};
pub use story::{OrderStory, OrderSummary};
pub use terms::{CancellationRule, Fee, PaymentProvider, Seller};
pub use words::{
    AttemptStatus, Availability, DeliveryState, EventStatus, FailureClass, FeeMode, HoldStatus,
    MismatchDecision, NotificationState, OrderStatus, RefundReason, RefundStatus, Role,
    TicketKeyState, TicketStatus, Verdict, WritableEventStatus, wanted, word,
};

use kit::Failure;
use prost_types::Timestamp;
use time::OffsetDateTime;

/// A service left out what its contract promises.
pub fn broken(what: &str) -> Failure {
    Failure::internal(format!("an answer came without a usable {what}"))
}

pub fn time_of(timestamp: Option<&Timestamp>, what: &str) -> Result<OffsetDateTime, Failure> {
    optional_time(timestamp)?.ok_or_else(|| broken(what))
}

pub fn optional_time(timestamp: Option<&Timestamp>) -> Result<Option<OffsetDateTime>, Failure> {
    timestamp
        .map(proto::timestamp_from)
        .transpose()
        .map_err(Failure::internal)
}

/// A text that may be left out.
pub fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A list as it is told.
pub fn all<M, T: TryFrom<M, Error = Failure>>(found: Vec<M>) -> Result<Vec<T>, Failure> {
    found.into_iter().map(T::try_from).collect()
}
