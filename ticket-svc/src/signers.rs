//! The codes of tickets. A key's seed is derived when it is wanted and kept for a while: making the pair
//! of keys costs as much as a signature. Signing needs no database, so it is done outside of any
//! transaction, and never for a hold.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base::{EventId, KeyRing, TicketId};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use codes::{Claims, SigningKey};

use crate::{domain::ticket_code, error::Error};

/// Keeps the seeds apart from every other use of the ring.
const PURPOSE: &str = "ticket-signing";
/// More events than this at once are rare, and cost a derivation more.
const KEPT_MAX: usize = 1_000;
const LEFT_THE_RING: Error = Error::Fault("the key of a ticket's code has left TICKET_CODE_KEYS");

/// Which code a ticket has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Of the key of the ring with this id.
    First {
        key_id: String,
    },
    Second {
        key: KeyName,
        type_number: u16,
    },
}

/// A key of an event, and the key of the ring that its seed is derived with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyName {
    pub event: EventId,
    pub number: u16,
    pub ring_id: String,
}

/// Cheap to clone; clones share what they keep.
#[derive(Clone, Debug)]
pub struct Signers {
    ring: KeyRing,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: HashMap<KeyName, Arc<SigningKey>>,
    /// Events that have a key.
    signed: HashSet<EventId>,
}

impl Signers {
    pub fn new(ring: KeyRing) -> Self {
        Self {
            ring,
            kept: Arc::default(),
        }
    }

    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The name of a key that is made now.
    pub fn name(&self, event: EventId, number: u16) -> KeyName {
        KeyName {
            event,
            number,
            ring_id: self.ring.current_id().to_owned(),
        }
    }

    /// The public half. A fault where the key of the ring is gone.
    pub fn public_key(&self, name: &KeyName) -> Result<[u8; 32], Error> {
        Ok(self.key(name)?.public_key())
    }

    /// The code of a ticket in one of its generations.
    pub fn code(
        &self,
        format: &Format,
        ticket: TicketId,
        generation: u32,
    ) -> Result<String, Error> {
        match format {
            Format::First { key_id } => {
                ticket_code::encode(&self.ring, key_id, ticket, generation).ok_or(LEFT_THE_RING)
            }
            Format::Second { key, type_number } => {
                let claims = Claims {
                    key: key.number,
                    ticket,
                    generation: u16::try_from(generation)
                        .map_err(|_| Error::Fault("a ticket was handed on too often"))?,
                    type_number: *type_number,
                };
                Ok(self.key(key)?.sign(key.event, &claims))
            }
        }
    }

    /// Whether the event is known to have a key.
    pub fn is_signed(&self, event: EventId) -> bool {
        self.kept().signed.contains(&event)
    }

    pub fn learn_signed(&self, event: EventId) {
        self.kept().signed.insert(event);
    }

    fn key(&self, name: &KeyName) -> Result<Arc<SigningKey>, Error> {
        if let Some(key) = self.kept().keys.get(name) {
            return Ok(key.clone());
        }
        let key = Arc::new(self.derive(name).ok_or(LEFT_THE_RING)?);
        self.kept().keys.insert(name.clone(), key.clone());
        Ok(key)
    }

    /// With room for one more.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.keys.len().max(kept.signed.len()) >= KEPT_MAX {
            *kept = Kept::default();
        }
        kept
    }

    fn derive(&self, name: &KeyName) -> Option<SigningKey> {
        let (event, number) = (name.event.uuid(), u32::from(name.number));
        let secret = self
            .ring
            .derive_with(&name.ring_id, PURPOSE, event, number)?;
        let seed = URL_SAFE_NO_PAD.decode(secret.expose()).ok()?;
        Some(SigningKey::from_seed(seed.first_chunk()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codes::{Code, PublicKey};
    use uuid::Uuid;

    fn ring(id: &str, byte: u8) -> String {
        format!("{id}:{}", URL_SAFE_NO_PAD.encode([byte; 32]))
    }

    fn signers(setting: &str) -> Signers {
        Signers::new(setting.parse().unwrap())
    }

    #[test]
    fn an_event_and_a_number_have_their_own_key_for_ever() {
        let (one, other) = (EventId::from(Uuid::nil()), EventId::from(Uuid::max()));
        let before = signers(&ring("a", 1));
        let key = before.public_key(&before.name(one, 1)).unwrap();
        assert_eq!(key, before.public_key(&before.name(one, 1)).unwrap());
        assert_ne!(key, before.public_key(&before.name(one, 2)).unwrap());
        assert_ne!(key, before.public_key(&before.name(other, 1)).unwrap());

        // The ring goes on; what was made with its older key can still be made.
        let after = signers(&format!("{},{}", ring("b", 2), ring("a", 1)));
        assert_eq!(after.name(one, 1).ring_id, "b");
        assert_eq!(key, after.public_key(&before.name(one, 1)).unwrap());
        assert_ne!(key, after.public_key(&after.name(one, 1)).unwrap());
        assert!(
            signers(&ring("b", 2))
                .public_key(&before.name(one, 1))
                .is_err()
        );
    }

    #[test]
    fn both_formats() {
        let (event, ticket) = (EventId::from(Uuid::nil()), TicketId::from(Uuid::max()));
        let signers = signers(&ring("a", 1));
        let first = Format::First {
            key_id: "a".to_owned(),
        };
        assert_eq!(signers.code(&first, ticket, 1).unwrap().len(), 55);

        let key = signers.name(event, 1);
        let public_key = PublicKey::from_bytes(&signers.public_key(&key).unwrap()).unwrap();
        let second = Format::Second {
            key,
            type_number: 3,
        };
        let code = signers.code(&second, ticket, 2).unwrap();
        let code = Code::parse(&code).unwrap();
        assert!(code.is_signed_by(event, &public_key));
        assert_eq!(
            (code.claims().generation, code.claims().type_number),
            (2, 3)
        );
        assert!(signers.code(&second, ticket, 65_536).is_err());
    }

    #[test]
    fn memory_has_a_bound() {
        let signers = signers(&ring("a", 1));
        for number in 1..=1_100 {
            let name = signers.name(EventId::from(Uuid::nil()), number);
            signers.public_key(&name).unwrap();
        }
        assert!(signers.kept.lock().unwrap().keys.len() <= KEPT_MAX);
    }
}
