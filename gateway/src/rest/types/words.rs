//! Status words. They are those of the contracts in lower case.

use kit::Failure;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::broken;

/// A word list with its way from the contract's number.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident from $contract:path { $($(#[$about:meta])* $word:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$about])* $word),+ }

        impl $name {
            pub fn of(number: i32) -> Result<Self, Failure> {
                use $contract as Contract;
                match Contract::try_from(number) {
                    $(Ok(Contract::$word) => Ok(Self::$word),)+
                    _ => Err(broken(stringify!($name))),
                }
            }
        }
    )+};
}

words! {
    EventStatus from proto::ticket::EventStatus {
        /// A draft, or paused.
        Inactive,
        Active,
        /// Final.
        Cancelled,
    }
    /// Why a guest can or cannot buy now. It informs; only a hold decides.
    Availability from proto::ticket::Availability {
        OnSale,
        NotYet,
        SoldOut,
        /// Nothing is free, but some is only held and may return.
        HeldByOthers,
        Ended,
        Cancelled,
    }
    HoldStatus from proto::ticket::HoldStatus {
        Active,
        /// Bound to an order that is being paid.
        Paying,
        Committed,
        Released,
        Expired,
    }
    TicketStatus from proto::ticket::TicketStatus { Valid, Void }
    OrderStatus from proto::payment::OrderStatus {
        /// Recorded; the tickets are not yet bound to it.
        Created,
        AwaitingPayment,
        /// The provider's outcome is not known yet.
        Processing,
        /// The money is here, the tickets are not yet.
        Paid,
        /// The tickets exist.
        Fulfilled,
        PartiallyRefunded,
        Refunded,
        Expired,
        Cancelled,
        /// What the provider reports differs from what was asked; an admin decides.
        Mismatch,
        /// Paid, but there is no ticket left: the money goes back.
        Unfulfillable,
    }
    Role from proto::user::Role { Admin, Superadmin }
}

/// The life of one try to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptStatus {
    /// The provider has not answered yet; `checkout_url` follows on the order.
    Preparing,
    Created,
    /// The guest has a page to pay on.
    RequiresAction,
    Processing,
    Succeeded,
    Failed,
    Cancelled,
}

impl AttemptStatus {
    pub fn of(number: i32) -> Result<Self, Failure> {
        use proto::payment::AttemptStatus as Contract;
        match Contract::try_from(number) {
            Ok(Contract::Created) => Ok(Self::Created),
            Ok(Contract::RequiresAction) => Ok(Self::RequiresAction),
            Ok(Contract::Processing) => Ok(Self::Processing),
            Ok(Contract::Succeeded) => Ok(Self::Succeeded),
            Ok(Contract::Failed) => Ok(Self::Failed),
            Ok(Contract::Cancelled) => Ok(Self::Cancelled),
            _ => Err(broken("AttemptStatus")),
        }
    }
}

/// The statuses that can be set on an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum WritableEventStatus {
    Inactive,
    Active,
}

impl TryFrom<String> for WritableEventStatus {
    type Error = &'static str;

    /// Only a text: serde would read a variant from an object as well.
    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "inactive" => Ok(Self::Inactive),
            "active" => Ok(Self::Active),
            _ => Err("must be `inactive` or `active`"),
        }
    }
}

impl WritableEventStatus {
    /// The contract's number; 0 where nothing is said.
    pub fn number(status: Option<Self>) -> i32 {
        use proto::ticket::EventStatus as Contract;
        match status {
            None => Contract::Unspecified.into(),
            Some(Self::Inactive) => Contract::Inactive.into(),
            Some(Self::Active) => Contract::Active.into(),
        }
    }
}
