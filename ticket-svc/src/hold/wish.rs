use base::{EventId, TicketTypeId};
use uuid::Uuid;

/// What a guest wants set aside. Its form is in order; nothing else is known of it yet.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Derived from the idempotency key; with a day (`HoldDay`) it is the id of the hold.
    pub key_id: Uuid,
    pub event_id: EventId,
    /// Each of another type, of one unit or more.
    pub lines: Vec<WishLine>,
    pub body_hash: [u8; 32],
}

#[derive(Clone, Copy, Debug)]
pub struct WishLine {
    pub ticket_type_id: TicketTypeId,
    pub quantity: u32,
}
