//! Status words. They are those of the contracts in lower case.

use kit::{Failure, FieldProblem};
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
        /// The sale stands still while its counters are looked into.
        Halted,
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
    /// The life of a message to a person.
    NotificationState from proto::notify::NotificationState {
        /// It waits for its turn, or for its next attempt.
        Queued,
        /// On its way to the mail server.
        Sending,
        /// The mail server has taken it.
        Sent,
        /// It was refused for good, or was tried for too long.
        Failed,
        /// It came back after the mail server had taken it.
        Bounced,
        /// The data of its guest was erased.
        Erased,
        /// Its order went to another address before it was sent.
        Withdrawn,
    }
    /// Whose matter a failed attempt is.
    FailureClass from proto::notify::FailureClass {
        /// The mail server could not be reached or does not know us; says nothing about the mail.
        Server,
        /// Refused for now.
        Temporary,
        /// Refused for good.
        Permanent,
        /// The line was cut after the mail had been handed over: it may have arrived.
        Unknown,
        /// It could not be made into a mail.
        Content,
        /// It came back.
        Bounce,
    }
    /// How a guest's newest receipt fares.
    DeliveryState from proto::notify::DeliveryState {
        /// There is none.
        None,
        /// On its way.
        Waiting,
        /// It was refused for now and is tried again.
        Delayed,
        /// The mail server has taken it.
        Sent,
        /// It cannot be delivered to this address.
        Failed,
    }
    /// The life of a refund. It counts as gone in every state but `failed_final`.
    RefundStatus from proto::payment::RefundStatus {
        /// Recorded; tickets are made void before any money leaves.
        Requested,
        /// The provider was asked, or is about to be.
        Submitted,
        Succeeded,
        /// The provider said no, and is asked again.
        Failed,
        /// The provider will not do it: a person has to.
        FailedFinal,
        /// Made at the provider, by somebody else.
        External,
    }
    /// Why money goes back.
    RefundReason from proto::payment::RefundReason {
        /// An admin decided so.
        Requested,
        /// Paid, but there was no ticket left.
        Unfulfillable,
        /// The order had been paid before.
        SecondPayment,
        /// More arrived than was asked for.
        Overpaid,
        /// A part arrived, and the time to pay the rest is over.
        OrderEnded,
        /// What arrived differs from the order.
        Mismatch,
        EventCancelled,
        /// The guest cancelled by the concert's rule.
        GuestCancelled,
        External,
    }
    /// The life of a key that signs ticket codes.
    TicketKeyState from proto::ticket::TicketKeyState {
        /// Signs.
        Active,
        /// Signs no more; what it signed stays valid.
        Retired,
        /// Nothing that it signed is valid.
        Revoked,
    }
    /// What a door says to a code.
    Verdict from proto::ticket::Verdict {
        Ok,
        /// The ticket was given back.
        Void,
        /// A ticket of another concert.
        WrongEvent,
        /// Not a code that this box office made.
        Unknown,
        /// The code was genuine, and another one took its place.
        Revoked,
    }
    Role from proto::user::Role { Admin, Superadmin }
}

/// The word as it stands in JSON.
pub fn word(status: impl Serialize) -> String {
    match serde_json::to_value(status) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The contract's number of a status word in a query; 0, which means any, where it is empty.
/// `find` knows the words by their names in the contract, which are in capitals.
pub fn wanted<E: Into<i32>>(
    word: &str,
    prefix: &str,
    find: fn(&str) -> Option<E>,
) -> Result<i32, Failure> {
    if word.is_empty() {
        return Ok(0);
    }
    let is_word = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let found = find(&format!("{prefix}{}", word.to_uppercase())).map(Into::into);
    // The contract's `UNSPECIFIED` is nobody's status.
    found
        .filter(|number| is_word && *number != 0)
        .ok_or_else(|| {
            let rule = "must be a status, as they stand in the answers";
            kit::fields(vec![FieldProblem::new("status", rule)])
        })
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

/// Who bears the service fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum FeeMode {
    /// It is a part of the price that the admin set.
    Absorbed,
    /// It is added, and the price that guests see contains it.
    Added,
}

impl TryFrom<String> for FeeMode {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "absorbed" => Ok(Self::Absorbed),
            "added" => Ok(Self::Added),
            _ => Err("must be `absorbed` or `added`"),
        }
    }
}

impl FeeMode {
    /// None where the contract says nothing.
    pub fn of(number: i32) -> Option<Self> {
        use proto::ticket::FeeMode as Contract;
        match Contract::try_from(number) {
            Ok(Contract::Absorbed) => Some(Self::Absorbed),
            Ok(Contract::Added) => Some(Self::Added),
            _ => None,
        }
    }

    pub fn number(self) -> i32 {
        use proto::ticket::FeeMode as Contract;
        match self {
            Self::Absorbed => Contract::Absorbed.into(),
            Self::Added => Contract::Added.into(),
        }
    }
}

/// What becomes of a payment that differs from its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum MismatchDecision {
    /// Sell as if the right amount had come.
    Accept,
    /// Send back what came.
    Refund,
    /// Nothing came: end the order.
    Cancel,
}

impl TryFrom<String> for MismatchDecision {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        match word.as_str() {
            "accept" => Ok(Self::Accept),
            "refund" => Ok(Self::Refund),
            "cancel" => Ok(Self::Cancel),
            _ => Err("must be `accept`, `refund` or `cancel`"),
        }
    }
}

impl MismatchDecision {
    pub fn number(self) -> i32 {
        use proto::payment::MismatchDecision as Contract;
        match self {
            Self::Accept => Contract::Accept.into(),
            Self::Refund => Contract::Refund.into(),
            Self::Cancel => Contract::Cancel.into(),
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
