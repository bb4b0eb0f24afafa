//! The shapes that several answers share, and how they are made from the contracts' messages.

mod catalog;
mod hold;
pub mod moment;
mod money;
mod order;
mod words;

pub use catalog::{AdminEvent, AdminTicketType, Event, EventDetail, TicketType};
pub use hold::{Hold, Line, NewLine};
pub use money::Money;
pub use order::{Order, PlacedOrder, User};
pub use words::{
    AttemptStatus, Availability, EventStatus, HoldStatus, OrderStatus, Role, TicketStatus,
    WritableEventStatus,
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
