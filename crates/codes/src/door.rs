//! A scanner's judge. It knows one event and what the box office published of it, and asks nobody.

use std::collections::HashMap;

use base::{EventId, TicketId};

use crate::{Claims, Code, PublicKey};

/// Names a code to whoever has it, and tells others neither ticket nor generation.
pub type Digest = [u8; 8];

const DIGEST_CONTEXT: &[u8; 18] = b"boxoffice dead BX2";

/// Under which a dead code is published: the first bytes of SHA-256.
pub fn digest(event: EventId, ticket: TicketId, generation: u16) -> Digest {
    let mut bytes = [0; 18 + 16 + 16 + 2];
    bytes[..18].copy_from_slice(DIGEST_CONTEXT);
    bytes[18..34].copy_from_slice(event.uuid().as_bytes());
    bytes[34..50].copy_from_slice(ticket.uuid().as_bytes());
    bytes[50..].copy_from_slice(&generation.to_be_bytes());
    let [a, b, c, d, e, f, g, h, ..] = base::digest(&bytes);
    [a, b, c, d, e, f, g, h]
}

/// What a code is worth at the door of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// The ticket was given back.
    Void,
    /// The code says that it is one of another event. Nobody has looked at its signature.
    WrongEvent,
    /// Not a code that this box office made.
    Unknown,
    /// A newer code took its place, or its key was revoked.
    Revoked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// What the code says; only where its signature is right.
    pub claims: Option<Claims>,
    /// Only the box office could know better: the code names a key that is not on the list, or is
    /// older than this format.
    pub ask: bool,
}

/// The door of one event.
#[derive(Clone, Debug)]
pub struct Door {
    event: EventId,
    keys: HashMap<u16, Key>,
    dead: HashMap<Digest, Verdict>,
}

#[derive(Clone, Debug)]
struct Key {
    public_key: PublicKey,
    revoked: bool,
}

impl Door {
    /// A door that knows no key yet.
    pub fn new(event: EventId) -> Self {
        Self {
            event,
            keys: HashMap::new(),
            dead: HashMap::new(),
        }
    }

    /// Learns a key, or what became of one.
    pub fn learn_key(&mut self, number: u16, public_key: PublicKey, revoked: bool) {
        let key = Key {
            public_key,
            revoked,
        };
        self.keys.insert(number, key);
    }

    /// Learns that a code is dead, and why.
    pub fn learn_dead(&mut self, digest: Digest, verdict: Verdict) {
        self.dead.insert(digest, verdict);
    }

    /// What a code is worth, as it was read from the ticket.
    pub fn judge(&self, text: &str) -> Judgement {
        let Some(code) = Code::parse(text) else {
            return told(Verdict::Unknown, text.starts_with("BX1"));
        };
        if !code.names(self.event) {
            return told(Verdict::WrongEvent, false);
        }
        let claims = code.claims();
        let Some(key) = self.keys.get(&claims.key) else {
            return told(Verdict::Unknown, true);
        };
        if !code.is_signed_by(self.event, &key.public_key) {
            return told(Verdict::Unknown, false);
        }
        let name = digest(self.event, claims.ticket, claims.generation);
        let dead = self.dead.get(&name).copied();
        let verdict = match (key.revoked, dead) {
            (true, _) => Verdict::Revoked,
            (false, Some(dead)) => dead,
            (false, None) => Verdict::Ok,
        };
        Judgement {
            verdict,
            claims: Some(claims),
            ask: false,
        }
    }
}

fn told(verdict: Verdict, ask: bool) -> Judgement {
    Judgement {
        verdict,
        claims: None,
        ask,
    }
}
