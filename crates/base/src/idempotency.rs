//! Idempotency keys: the id of what a POST creates is derived from them, so a repeat finds the first answer's row.

use crate::hash::digest_framed;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The caller's key for one intent: 16 to 255 visible ASCII characters. Who knows it can replay the answer, so it is
/// itself a secret and `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdempotencyKeyError {
    #[error("Idempotency-Key must have 16 to 255 characters")]
    BadLength,
    #[error("Idempotency-Key must consist of visible ASCII characters without spaces")]
    BadCharacter,
}

impl IdempotencyKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;
    fn from_str(text: &str) -> Result<Self, IdempotencyKeyError> {
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(IdempotencyKeyError::BadCharacter);
        }
        if !(16..=255).contains(&text.len()) {
            return Err(IdempotencyKeyError::BadLength);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(***)")
    }
}

/// The id of what `route` creates for `key`: a UUIDv8 of SHA-256. No rotating secret goes in, so it never changes.
/// `route` is a fixed name, and where ids are in the path, those too.
pub fn derived_id(route: &str, key: &IdempotencyKey) -> Uuid {
    let hash = digest_framed(&[route.as_bytes(), key.0.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// SHA-256 of a request's parts, kept on the row: the same key with another body is an error, not a replay.
pub fn body_hash(parts: &[&[u8]]) -> [u8; 32] {
    digest_framed(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> IdempotencyKey {
        text.parse().unwrap()
    }

    #[test]
    fn keys() {
        let parse = |text: &str| text.parse::<IdempotencyKey>().map(|_| ());
        assert_eq!(parse(&"k".repeat(15)), Err(IdempotencyKeyError::BadLength));
        assert_eq!(parse(&"k".repeat(16)), Ok(()));
        assert_eq!(parse(&"k".repeat(255)), Ok(()));
        assert_eq!(parse(&"k".repeat(256)), Err(IdempotencyKeyError::BadLength));
        assert_eq!(parse(""), Err(IdempotencyKeyError::BadLength));
        for bad in [
            "0123456789 abcdef",
            "0123456789abcde\n",
            "0123456789abcdeé",
            "\0\0",
        ] {
            assert_eq!(
                parse(bad),
                Err(IdempotencyKeyError::BadCharacter),
                "{bad:?}"
            );
        }
        assert!(!format!("{:?}", key("0123456789abcdef")).contains("0123"));
    }

    #[test]
    fn ids_depend_on_route_and_key_alone() {
        let id = derived_id("holds", &key("0123456789abcdef"));
        assert_eq!(id, derived_id("holds", &key("0123456789abcdef")));
        assert_ne!(id, derived_id("orders", &key("0123456789abcdef")));
        assert_ne!(id, derived_id("holds", &key("0123456789abcdeg")));
        assert_ne!(id, derived_id("holds0", &key("123456789abcdef0")));
        assert_eq!(id.get_version_num(), 8);
        // Stored ids were made by this rule: it may not change.
        assert_eq!(id.to_string(), "0fad61b9-6fe0-8891-be8a-e0fbecfc81ac");
    }

    #[test]
    fn bodies() {
        assert_eq!(body_hash(&[b"a", b"b"]), body_hash(&[b"a", b"b"]));
        assert_ne!(body_hash(&[b"a", b"b"]), body_hash(&[b"ab"]));
    }
}
