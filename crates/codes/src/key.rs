use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use base::EventId;

use crate::{
    base45,
    code::{Claims, PREFIX, Payload, SIGNATURE_BYTES, signed_message},
};

/// What makes the codes of one event.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The key pair of a seed (RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Self(pair.expect("invariant: any 32 bytes are a seed"))
    }

    /// Ed25519, 32 bytes.
    pub fn public_key(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        bytes
    }

    /// The code of a ticket, 138 characters; the same claims always have the same one.
    pub fn sign(&self, event: EventId, claims: &Claims) -> String {
        let payload = claims.payload(event);
        let signature = self.0.sign(&signed_message(event, &payload));
        let mut bytes = [0; size_of::<Payload>() + SIGNATURE_BYTES];
        let (head, tail) = bytes.split_at_mut(payload.len());
        head.copy_from_slice(&payload);
        tail.copy_from_slice(signature.as_ref());
        format!("{PREFIX}{}", base45::encode(&bytes))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

/// What verifies the codes of one event.
#[derive(Clone)]
pub struct PublicKey(ParsedPublicKey);

impl PublicKey {
    /// None for bytes that are no Ed25519 key.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&ED25519, bytes).ok().map(Self)
    }

    /// Whether this key signed the message, by the strict rules of RFC 8032: one message has one
    /// signature that is taken.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", base::hex(self.0.as_ref()))
    }
}
