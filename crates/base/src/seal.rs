//! Sealing of small secrets that must pass through rows and messages unread.

use std::{fmt, str::FromStr};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::Sources;

const KEY_BYTES: usize = 32;

/// AES-256-GCM with a random nonce. A sealed value is `nonce ‖ ciphertext ‖ tag`; the purpose is
/// authenticated, so a value sealed for one purpose does not open for another.
pub struct Sealer {
    key: LessSafeKey,
    bytes: [u8; KEY_BYTES],
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be exactly {KEY_BYTES} random bytes as base64url without padding")]
pub struct SealerError;

impl Sealer {
    fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("an AES-256 key has 32 bytes");
        Self {
            key: LessSafeKey::new(key),
            bytes,
        }
    }

    pub fn seal(&self, sources: &Sources, purpose: &str, plaintext: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = sources.bytes();
        let mut sealed = plaintext.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut sealed,
            )
            .expect("the plaintext is far below the limit of GCM");
        [&nonce[..], &sealed].concat()
    }

    /// None if the value was sealed with another key or for another purpose, or was changed.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plaintext = ciphertext.to_vec();
        let length = self
            .key
            .open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut plaintext)
            .ok()?
            .len();
        plaintext.truncate(length);
        Some(plaintext)
    }
}

impl FromStr for Sealer {
    type Err = SealerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim())
            .map_err(|_| SealerError)?;
        Ok(Self::from_bytes(bytes.try_into().map_err(|_| SealerError)?))
    }
}

impl Clone for Sealer {
    fn clone(&self) -> Self {
        Self::from_bytes(self.bytes)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_it_sealed_for_that_purpose() {
        let sources = Sources::system();
        let sealer: Sealer = URL_SAFE_NO_PAD.encode([1; 32]).parse().unwrap();
        let other: Sealer = URL_SAFE_NO_PAD.encode([2; 32]).parse().unwrap();
        let mut sealed = sealer.seal(&sources, "link", b"secret");
        assert_eq!(
            sealer.open("link", &sealed).as_deref(),
            Some(&b"secret"[..])
        );
        assert_eq!(sealer.open("mail", &sealed), None);
        assert_eq!(other.open("link", &sealed), None);
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(sealer.open("link", &sealed), None);
        assert_eq!(sealer.open("link", b"short"), None);
    }
}
