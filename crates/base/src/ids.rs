//! Typed ids, so that an order's id cannot be passed where a hold's is meant.

use crate::Sources;
use uuid::Uuid;

/// The text is not a hyphenated UUID (`8-4-4-4-12` hexadecimal digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a valid id")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh UUIDv7: later ids sort after earlier ones, so indexes grow at one end.
            pub fn new(sources: &Sources) -> Self {
                Self(sources.uuid_v7())
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A concert.
    EventId
    /// A kind of ticket of one event, with its price.
    TicketTypeId
    /// A counter of stock.
    PoolId
    /// A guest's reservation for some minutes.
    HoldId
    OrderId
    /// Money that goes back.
    RefundId
    /// One admission.
    TicketId
    /// A ticket's way to another holder; its id stands in the new holder's link.
    TransferId
    /// One try to pay an order.
    AttemptId
    /// An admin's account.
    UserId
    NotificationId
    /// An event in an outbox; its identity on JetStream and in the consumer's inbox.
    MessageId
}

/// One spelling per id: the crate's other forms (braces, urn, no hyphens) would make two texts mean one resource.
fn parse(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != 36 {
        return Err(InvalidId);
    }
    Uuid::try_parse(text).map_err(|_| InvalidId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;

    #[test]
    fn text_and_back() {
        let (sources, _) = Sources::for_tests(1);
        let id = OrderId::new(&sources);
        assert_eq!(id.to_string().parse::<OrderId>(), Ok(id));
        assert_eq!(id.uuid().get_version_num(), 7);
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = "0190b6a2-7c1e-7000-8000-0123456789ab";
        assert!(id.parse::<EventId>().is_ok());
        for bad in [
            "",
            "x",
            "0190b6a27c1e700080000123456789ab",
            "{0190b6a2-7c1e-7000-8000-0123456789ab}",
            "0190b6a2-7c1e-7000-8000-0123456789ag",
            "0190b6a2-7c1e-7000-8000-0123456789a\0",
        ] {
            assert_eq!(bad.parse::<EventId>(), Err(InvalidId), "{bad:?}");
        }
    }

    #[test]
    fn later_ids_sort_later() {
        let clock = ManualClock::default();
        let sources = Sources::new(clock.clone(), crate::SeededRandom::new(3));
        let first = HoldId::new(&sources);
        clock.advance(time::Duration::milliseconds(1));
        assert!(HoldId::new(&sources) > first);
    }
}
