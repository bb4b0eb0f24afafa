//! The vocabulary of the workspace: small validated values, and the clock and randomness they need. No I/O crates.

/// Serde through the text form, so that nothing invalid can be deserialized.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

mod email;
mod hash;
mod idempotency;
mod ids;
mod language;
mod money;
mod phone;
mod seal;
mod secret;
mod slug;
mod sources;
mod text;
mod zone;

pub use email::{EmailAddress, EmailError};
pub use hash::{digest, hex};
pub use idempotency::{IdempotencyKey, IdempotencyKeyError, body_hash, derived_id};
pub use ids::{
    AttemptId, EventId, HoldId, InvalidId, MessageId, NotificationId, OrderId, PoolId, RefundId,
    TicketId, TicketTypeId, TransferId, UserId,
};
pub use language::Language;
pub use money::{Currency, Money, MoneyError, UnknownCurrency, allocate, round_half_up_div};
pub use phone::{PhoneError, PhoneNumber};
pub use seal::{Sealer, SealerError};
pub use secret::{KeyRing, KeyRingError, Secret};
pub use slug::slug;
pub use sources::{Clock, ManualClock, Random, SeededRandom, Sources, SystemClock, SystemRandom};
pub use text::{TextError, TextProblem, bounded, bounded_multiline};
pub use zone::{UnknownZone, Zone};
