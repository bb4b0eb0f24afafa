//! What the request of a code and its use have in common.

use base::{EmailAddress, KeyRing, Secret};
use uuid::Uuid;

const PURPOSE: &str = "lookup";
const ADDRESS: &str = "lookup-address";
const GENERATION: u32 = 1;
const DIGITS: u64 = 100_000_000;

/// The code of a lookup: eight digits, derived and never stored. None once its key has left the ring.
pub(super) fn code(keys: &KeyRing, key_id: &str, lookup: Uuid) -> Option<Secret> {
    let secret = keys.derive_with(key_id, PURPOSE, lookup, GENERATION)?;
    let hash = base::digest(secret.expose().as_bytes());
    let (head, _) = hash.split_first_chunk()?;
    let number = u64::from_be_bytes(*head) % DIGITS;
    Some(Secret::new(format!("{number:08}")))
}

/// What an address is known by. With another current key it is known by another one: who asked before that asks
/// again.
pub(super) fn address_hash(keys: &KeyRing, email: &EmailAddress) -> [u8; 32] {
    keys.keyed_hash(ADDRESS, email.as_str().to_lowercase().as_bytes())
}

/// Whether it is the code; the time taken does not tell how much of it was right. Spaces and dashes do
/// not matter.
pub(super) fn is_code(code: &Secret, presented: &str) -> bool {
    let typed: String = presented
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect();
    let right = code.expose().as_bytes();
    aws_lc_rs::constant_time::verify_slices_are_equal(right, typed.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use base::Sources;

    use super::*;

    #[test]
    fn a_code_is_eight_digits_of_its_own_lookup() {
        let (sources, _) = Sources::for_tests(7);
        let keys: KeyRing = KeyRing::generate(&sources).expose().parse().unwrap();
        let id = sources.uuid_v7();
        let own = code(&keys, keys.current_id(), id).unwrap();
        assert!(own.expose().len() == 8 && own.expose().bytes().all(|b| b.is_ascii_digit()));
        let other = code(&keys, keys.current_id(), sources.uuid_v7()).unwrap();
        assert_ne!(own.expose(), other.expose());
        assert!(code(&keys, "gone", id).is_none());
        let typed = format!(" {}-{} ", &own.expose()[..4], &own.expose()[4..]);
        assert!(is_code(&own, &typed) && is_code(&own, own.expose()));
        for wrong in ["", "1", other.expose(), &own.expose()[..7]] {
            assert!(!is_code(&own, wrong));
        }
    }
}
