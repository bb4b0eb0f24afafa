//! Random keys in the form in which settings and headers take them.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The key that services on loopback show each other: 32 random bytes, base64url without padding.
pub fn mesh_key() -> String {
    random_text(32)
}

/// A key ring setting with one key, `<id>:<32 random bytes as base64url>`. The first key of a ring signs.
pub fn key_ring() -> String {
    key_ring_of(&["k1"])
}

/// A key ring setting with a random key per id, separated by commas; the first one signs, all of them verify.
pub fn key_ring_of(ids: &[&str]) -> String {
    let keys: Vec<String> = ids
        .iter()
        .map(|id| format!("{id}:{}", random_text(32)))
        .collect();
    keys.join(",")
}

/// A fresh `Idempotency-Key`: 32 characters.
pub fn idempotency_key() -> String {
    random_text(24)
}

/// `bytes` random bytes as base64url without padding.
pub fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0_u8; bytes];
    rand::fill(&mut buffer).expect("the operating system gives randomness");
    URL_SAFE_NO_PAD.encode(buffer)
}
