use base::{EventId, TicketId};
use uuid::Uuid;

use crate::{PublicKey, base45};

/// How every code of this format begins.
pub const PREFIX: &str = "BX2";

/// Says what is signed, so that no signature of one thing is one of another.
const CONTEXT: &[u8; 20] = b"boxoffice ticket BX2";
const TAG_BYTES: usize = 4;
const PAYLOAD_BYTES: usize = TAG_BYTES + 2 + 16 + 2 + 2;
pub(crate) const SIGNATURE_BYTES: usize = 64;
const CODE_BYTES: usize = PAYLOAD_BYTES + SIGNATURE_BYTES;
const MESSAGE_BYTES: usize = CONTEXT.len() + 16 + PAYLOAD_BYTES;

/// What stands in a code before its signature.
pub(crate) type Payload = [u8; PAYLOAD_BYTES];

/// What a code says of its ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Which key of the event signed it, from 1.
    pub key: u16,
    pub ticket: TicketId,
    /// Which code of the ticket it is, from 1; one that was handed on has the next.
    pub generation: u16,
    /// The place of the ticket's type in the event.
    pub type_number: u16,
}

impl Claims {
    /// Event tag, key, ticket, generation, type; numbers with the big end first.
    pub(crate) fn payload(&self, event: EventId) -> Payload {
        let mut bytes = [0; PAYLOAD_BYTES];
        bytes[..4].copy_from_slice(&tag(event));
        bytes[4..6].copy_from_slice(&self.key.to_be_bytes());
        bytes[6..22].copy_from_slice(self.ticket.uuid().as_bytes());
        bytes[22..24].copy_from_slice(&self.generation.to_be_bytes());
        bytes[24..].copy_from_slice(&self.type_number.to_be_bytes());
        bytes
    }
}

/// The last four bytes of the event's id: they tell the events of a box office apart. The whole id is
/// signed, so two events that share a tag are told apart by their signatures.
fn tag(event: EventId) -> [u8; TAG_BYTES] {
    let [.., a, b, c, d] = event.uuid().into_bytes();
    [a, b, c, d]
}

pub(crate) fn signed_message(event: EventId, payload: &Payload) -> [u8; MESSAGE_BYTES] {
    let mut bytes = [0; MESSAGE_BYTES];
    bytes[..20].copy_from_slice(CONTEXT);
    bytes[20..36].copy_from_slice(event.uuid().as_bytes());
    bytes[36..].copy_from_slice(payload);
    bytes
}

/// A text that has the form of a code. Its claims are worth nothing until its signature is verified.
#[derive(Clone, Debug)]
pub struct Code {
    payload: Payload,
    signature: [u8; SIGNATURE_BYTES],
}

impl Code {
    /// None for anything else than a code's one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; CODE_BYTES] = base45::decode(text.strip_prefix(PREFIX)?.as_bytes())?;
        let (payload, rest) = bytes.split_first_chunk()?;
        Some(Self {
            payload: *payload,
            signature: *rest.first_chunk()?,
        })
    }

    /// What the code says, true or not.
    pub fn claims(&self) -> Claims {
        let number = |at: usize| u16::from_be_bytes([self.payload[at], self.payload[at + 1]]);
        let mut ticket = [0; 16];
        ticket.copy_from_slice(&self.payload[6..22]);
        Claims {
            key: number(4),
            ticket: TicketId::from(Uuid::from_bytes(ticket)),
            generation: number(22),
            type_number: number(24),
        }
    }

    /// Whether the code says that it is one of this event, or of another with the same tag.
    pub fn names(&self, event: EventId) -> bool {
        self.payload.starts_with(&tag(event))
    }

    /// Whether this key of this event has signed the code.
    pub fn is_signed_by(&self, event: EventId, key: &PublicKey) -> bool {
        key.verifies(&signed_message(event, &self.payload), &self.signature)
    }
}
