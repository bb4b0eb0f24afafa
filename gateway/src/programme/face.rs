//! One event as it is answered: everything encoded once per change, not once per request.

use std::sync::OnceLock;

use base::Language;
use bytes::Bytes;
use kit::Failure;
use proto::ticket::{EventAvailability, ProgrammeEntry};

use super::answer::Encoded;
use crate::rest::types::{EventDetail, Left, PaymentProvider, all, broken};

pub struct Face {
    pub detail: EventDetail,
    /// `detail` as JSON.
    pub event: Encoded,
    /// What is left of it.
    pub left: Encoded,
    /// The same as a message of a stream.
    pub message: Bytes,
    /// The event in a list.
    pub row: Bytes,
    pub row_digest: [u8; 32],
    /// The shop's page in each language, before and after what differs from guest to guest; made when
    /// it is first looked at.
    pub pages: [OnceLock<[Bytes; 2]>; Language::ALL.len()],
}

impl Face {
    pub fn new(entry: ProgrammeEntry, providers: Vec<PaymentProvider>) -> Result<Self, Failure> {
        let event = entry.event.ok_or_else(|| broken("event"))?;
        let detail = EventDetail {
            event: event.try_into()?,
            ticket_types: all(entry.ticket_types)?,
            payment_providers: providers,
        };
        let left = Encoded::of(&Left::of(&detail))?;
        let row = serde_json::to_vec(&detail.event).map_err(Failure::internal)?;
        let message = [b"event: availability\ndata: ", &left.body[..], b"\n\n"].concat();
        Ok(Self {
            event: Encoded::of(&detail)?,
            left,
            message: message.into(),
            row_digest: base::digest(&row),
            row: row.into(),
            pages: Default::default(),
            detail,
        })
    }
}

/// Puts the newer word about what is left into an entry. A ticket type that it does not know came
/// later, and keeps its own.
pub fn overlay(entry: &mut ProgrammeEntry, told: &EventAvailability) {
    let mut knows_all = true;
    for kind in &mut entry.ticket_types {
        let of_kind = |one: &&proto::ticket::TicketTypeAvailability| one.ticket_type_id == kind.id;
        match told.ticket_types.iter().find(of_kind) {
            Some(left) => {
                kind.remaining = left.remaining;
                kind.availability = left.availability;
            }
            None => knows_all = false,
        }
    }
    if let Some(event) = entry.event.as_mut().filter(|_| knows_all) {
        event.availability = told.availability;
    }
}
