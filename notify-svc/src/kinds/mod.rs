//! What a guest can be told: one closed set, and a file per kind.

mod cancelled;
mod receipt;
mod refunded;
mod unfulfillable;

use base::OrderId;
use prost::{DecodeError, Message as _};
use proto::event::{
    OrderCancelled, OrderPaid, OrderRefunded, OrderUnfulfillable, envelope::Payload,
};

use crate::{
    error::Error,
    facts::Facts,
    render::{self, Receipt, RenderError, Stamp},
};

use cancelled::Cancelled;
pub(crate) use receipt::read as read_receipt;
use refunded::Refunded;
use unfulfillable::Unfulfillable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Receipt,
    Unfulfillable,
    Refunded,
    Cancelled,
}

impl Kind {
    pub const ALL: [Self; 4] = [
        Self::Receipt,
        Self::Unfulfillable,
        Self::Refunded,
        Self::Cancelled,
    ];

    /// As rows name it. The statement that leases knows `receipt`, too.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Unfulfillable => "unfulfillable",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The name of the span in which it is sent.
    pub const fn span(self) -> &'static str {
        match self {
            Self::Receipt => "send receipt",
            Self::Unfulfillable | Self::Refunded | Self::Cancelled => "send notice",
        }
    }

    /// Reverses [`content`].
    pub fn payload(self, content: &[u8]) -> Result<Payload, DecodeError> {
        Ok(match self {
            Self::Receipt => Payload::OrderPaid(OrderPaid::decode(content)?),
            Self::Unfulfillable => {
                Payload::OrderUnfulfillable(OrderUnfulfillable::decode(content)?)
            }
            Self::Refunded => Payload::OrderRefunded(OrderRefunded::decode(content)?),
            Self::Cancelled => Payload::OrderCancelled(OrderCancelled::decode(content)?),
        })
    }
}

/// What is stored of a message: its payload, without the word for its type, which is the row's kind.
pub(crate) fn content(payload: &Payload) -> Vec<u8> {
    match payload {
        Payload::OrderPaid(paid) => paid.encode_to_vec(),
        Payload::OrderUnfulfillable(unfulfillable) => unfulfillable.encode_to_vec(),
        Payload::OrderRefunded(refunded) => refunded.encode_to_vec(),
        Payload::OrderCancelled(cancelled) => cancelled.encode_to_vec(),
    }
}

/// A message that was checked: it can be rendered and sent.
pub(crate) enum Notice {
    Receipt(Receipt),
    Unfulfillable(Unfulfillable),
    Refunded(Refunded),
    Cancelled(Cancelled),
}

impl Notice {
    /// A field error names what the message lacks.
    pub fn read(facts: &Facts, payload: &Payload) -> Result<Self, Error> {
        Ok(match payload {
            Payload::OrderPaid(paid) => Self::Receipt(receipt::read(facts, paid)?),
            Payload::OrderUnfulfillable(message) => {
                Self::Unfulfillable(Unfulfillable::read(facts, message)?)
            }
            Payload::OrderRefunded(message) => Self::Refunded(Refunded::read(facts, message)?),
            Payload::OrderCancelled(message) => Self::Cancelled(Cancelled::read(facts, message)?),
        })
    }

    pub const fn kind(&self) -> Kind {
        match self {
            Self::Receipt(_) => Kind::Receipt,
            Self::Unfulfillable(_) => Kind::Unfulfillable,
            Self::Refunded(_) => Kind::Refunded,
            Self::Cancelled(_) => Kind::Cancelled,
        }
    }

    /// The order, and the address that is told.
    pub fn order(&self) -> (OrderId, &str) {
        let about = match self {
            Self::Receipt(receipt) => return (receipt.order.id, &receipt.order.email),
            Self::Unfulfillable(notice) => &notice.about,
            Self::Refunded(notice) => &notice.about,
            Self::Cancelled(notice) => &notice.about,
        };
        (about.id, &about.email)
    }

    /// What is told once per order has 0.
    pub const fn revision(&self) -> i32 {
        match self {
            Self::Refunded(notice) => notice.revision,
            Self::Receipt(_) | Self::Unfulfillable(_) | Self::Cancelled(_) => 0,
        }
    }

    pub fn email(&self, stamp: Stamp) -> Result<lettre::Message, RenderError> {
        let letter = match self {
            Self::Receipt(receipt) => {
                return render::email_message(receipt, stamp.from, &stamp.message_id);
            }
            Self::Unfulfillable(notice) => notice.letter(),
            Self::Refunded(notice) => notice.letter(),
            Self::Cancelled(notice) => notice.letter(),
        };
        render::letter_message(&letter, stamp)
    }
}
