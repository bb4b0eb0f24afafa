//! Secrets that are derived, not stored: the link of an order is HMAC(key, purpose, id, generation).

use crate::Sources;
use crate::hash::length_prefix;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A text that must not reach a log: `Debug` and `Display` print `***`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; every use of this is a place to look at.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Any text can be a secret; this lets a setting parse into one.
impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The MAC keys of a service: the first one derives, all of them verify. Rows keep the id of the key they were made
/// with, so a rotation leaves old links valid until their key leaves the ring.
///
/// Setting: `id:key,id:key,…`, ids of 1 to 8 characters `a-z0-9`, keys of 32 bytes or more in base64url.
#[derive(Clone)]
pub struct KeyRing {
    current: (String, hmac::Key),
    older: Vec<(String, hmac::Key)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    #[error("expected id:key, with the key in base64url")]
    Malformed,
    #[error("a key id has 1 to 8 characters a-z or 0-9")]
    BadId,
    #[error("a key needs 32 bytes or more")]
    ShortKey,
    #[error("a key id occurs twice")]
    DuplicateId,
}

/// Keeps derived secrets and keyed hashes apart even where purpose and bytes coincide.
const DERIVE: u8 = 1;
const HASH: u8 = 2;

impl KeyRing {
    /// A fresh setting with one key, for an installation that has none.
    pub fn generate(sources: &Sources) -> Secret {
        Secret(format!("k1:{}", sources.token()))
    }

    /// The id to store beside whatever `derive` is used for.
    pub fn current_id(&self) -> &str {
        &self.current.0
    }

    /// The secret of `id` under the current key. Counting `generation` up revokes the secrets before.
    pub fn derive(&self, purpose: &str, id: Uuid, generation: u32) -> Secret {
        derive(&self.current.1, purpose, id, generation)
    }

    /// The secret under the key a row was made with; `None` when that key has left the ring.
    pub fn derive_with(
        &self,
        key_id: &str,
        purpose: &str,
        id: Uuid,
        generation: u32,
    ) -> Option<Secret> {
        self.key(key_id)
            .map(|key| derive(key, purpose, id, generation))
    }

    /// Whether `presented` is the secret; the time taken does not tell how much of it was right.
    pub fn verify(
        &self,
        key_id: &str,
        purpose: &str,
        id: Uuid,
        generation: u32,
        presented: &str,
    ) -> bool {
        self.derive_with(key_id, purpose, id, generation)
            .is_some_and(|secret| {
                let (right, presented) = (secret.0.as_bytes(), presented.as_bytes());
                aws_lc_rs::constant_time::verify_slices_are_equal(right, presented).is_ok()
            })
    }

    /// A hash that nobody without the key can compute, for looking up what must not be stored in the clear. It is made
    /// with the current key, so it changes when the key is rotated.
    pub fn keyed_hash(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        mac(&self.current.1, HASH, purpose, &[bytes])
    }

    fn key(&self, key_id: &str) -> Option<&hmac::Key> {
        let mut keys = std::iter::once(&self.current).chain(&self.older);
        keys.find(|(id, _)| id == key_id).map(|(_, key)| key)
    }
}

fn derive(key: &hmac::Key, purpose: &str, id: Uuid, generation: u32) -> Secret {
    let tag = mac(
        key,
        DERIVE,
        purpose,
        &[id.as_bytes(), &generation.to_be_bytes()],
    );
    Secret(URL_SAFE_NO_PAD.encode(tag))
}

/// The purpose is preceded by its length; what follows has a fixed size or comes last, so no two inputs coincide.
fn mac(key: &hmac::Key, kind: u8, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    context.update(&[kind]);
    context.update(&length_prefix(purpose.as_bytes()));
    context.update(purpose.as_bytes());
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

impl FromStr for KeyRing {
    type Err = KeyRingError;
    fn from_str(setting: &str) -> Result<Self, KeyRingError> {
        let mut keys = Vec::new();
        for entry in setting.split(',') {
            let (id, key) = parse_key(entry.trim())?;
            if keys.iter().any(|(other, _)| *other == id) {
                return Err(KeyRingError::DuplicateId);
            }
            keys.push((id, key));
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or(KeyRingError::Malformed)?;
        Ok(Self {
            current,
            older: keys.collect(),
        })
    }
}

fn parse_key(entry: &str) -> Result<(String, hmac::Key), KeyRingError> {
    let (id, key) = entry.split_once(':').ok_or(KeyRingError::Malformed)?;
    let id_ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !(1..=8).contains(&id.len()) || !id.chars().all(id_ok) {
        return Err(KeyRingError::BadId);
    }
    let key = URL_SAFE_NO_PAD
        .decode(key.trim_end_matches('='))
        .map_err(|_| KeyRingError::Malformed)?;
    if key.len() < 32 {
        return Err(KeyRingError::ShortKey);
    }
    Ok((id.to_owned(), hmac::Key::new(hmac::HMAC_SHA256, &key)))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = std::iter::once(&self.current)
            .chain(&self.older)
            .map(|(id, _)| id);
        f.write_str("KeyRing")?;
        f.debug_list().entries(ids).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const B: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

    fn ring(setting: &str) -> KeyRing {
        setting.parse().unwrap()
    }

    #[test]
    fn a_rotation_keeps_old_secrets() {
        let (id, before) = (Uuid::from_u128(7), ring(&format!("a:{A}")));
        let after = ring(&format!("b:{B},a:{A}"));
        let old = before.derive("order", id, 1);
        assert_eq!(old.expose().len(), 43);
        assert_eq!(after.current_id(), "b");
        assert_ne!(after.derive("order", id, 1).expose(), old.expose());
        assert!(after.verify("a", "order", id, 1, old.expose()));
        assert!(!after.verify("b", "order", id, 1, old.expose()));
        assert!(!ring(&format!("b:{B}")).verify("a", "order", id, 1, old.expose()));
    }

    #[test]
    fn a_secret_fits_one_purpose_id_and_generation() {
        let (ring, id) = (ring(&format!("a:{A}")), Uuid::from_u128(7));
        let secret = ring.derive("order", id, 1);
        let presented = secret.expose();
        assert!(ring.verify("a", "order", id, 1, presented));
        assert!(!ring.verify("a", "hold", id, 1, presented));
        assert!(!ring.verify("a", "order", Uuid::from_u128(8), 1, presented));
        assert!(!ring.verify("a", "order", id, 2, presented));
        assert!(!ring.verify("a", "order", id, 1, &presented[..42]));
        assert!(!ring.verify("a", "order", id, 1, ""));
    }

    #[test]
    fn settings() {
        for (setting, expected) in [
            (String::new(), KeyRingError::Malformed),
            ("a".to_owned(), KeyRingError::Malformed),
            ("a:%%".to_owned(), KeyRingError::Malformed),
            (format!("A:{A}"), KeyRingError::BadId),
            (format!("abcdefghi:{A}"), KeyRingError::BadId),
            (format!(":{A}"), KeyRingError::BadId),
            ("a:AAAA".to_owned(), KeyRingError::ShortKey),
            (format!("a:{A},a:{B}"), KeyRingError::DuplicateId),
            (format!("a:{A},"), KeyRingError::Malformed),
        ] {
            assert_eq!(
                setting.parse::<KeyRing>().unwrap_err(),
                expected,
                "{setting}"
            );
        }
        let (sources, _) = Sources::for_tests(1);
        assert_eq!(
            ring(KeyRing::generate(&sources).expose()).current_id(),
            "k1"
        );
    }

    #[test]
    fn nothing_secret_is_printed() {
        let ring = ring(&format!("a:{A},b:{B}"));
        assert_eq!(format!("{ring:?}"), r#"KeyRing["a", "b"]"#);
        let secret = ring.derive("order", Uuid::nil(), 0);
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    }

    proptest! {
        #[test]
        fn different_inputs_have_different_tags(p in "[a-z]{0,4}", q in "[a-z]{0,4}", x: [u8; 20], y: [u8; 20]) {
            prop_assume!((&p, x) != (&q, y));
            let ring = ring(&format!("a:{A}"));
            prop_assert_ne!(ring.keyed_hash(&p, &x), ring.keyed_hash(&q, &y));
            prop_assert_ne!(ring.keyed_hash(&p, &x), mac(&ring.current.1, DERIVE, &p, &[&x]));
        }
    }
}
