//! The first format of a ticket's code, which only its issuer can verify. Tickets of before the second
//! one (`crates/codes`) keep it until they are handed on.
//!
//! `BX1`, then 32 bytes in Crockford's base32 (upper case): the ticket's id and half of a MAC over id and
//! generation. Only digits and capitals, so a QR code stores it in its dense alphanumeric mode.

use base::{KeyRing, TicketId};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

const PREFIX: &str = "BX1";
const PURPOSE: &str = "ticket-code";
const MAC_BYTES: usize = 16;
const CODE_BYTES: usize = 16 + MAC_BYTES;
/// 256 bits in groups of five, the last one filled up with zeros.
const CODE_CHARS: usize = (CODE_BYTES * 8).div_ceil(5);
/// Without I, L, O and U: <https://www.crockford.com/base32.html>.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The code of a ticket, 55 characters. None when the key it was made with has left the ring.
pub fn encode(keys: &KeyRing, key_id: &str, id: TicketId, generation: u32) -> Option<String> {
    let mut bytes = [0; CODE_BYTES];
    bytes[..16].copy_from_slice(id.uuid().as_bytes());
    bytes[16..].copy_from_slice(&mac(keys, key_id, id, generation)?);
    Some(format!("{PREFIX}{}", base32(&bytes)))
}

/// The ticket that a code names, whether or not its MAC is right; none for anything malformed.
/// Key id and generation stand in the ticket's row, so a reader looks it up and then verifies.
pub fn ticket_id(code: &str) -> Option<TicketId> {
    let bytes = from_base32(code.strip_prefix(PREFIX)?)?;
    Uuid::from_slice(&bytes[..16]).ok().map(TicketId::from)
}

/// Whether this is the code of that ticket, in constant time.
pub fn verify(keys: &KeyRing, key_id: &str, id: TicketId, generation: u32, code: &str) -> bool {
    let presented = code.strip_prefix(PREFIX).and_then(from_base32);
    match (presented, mac(keys, key_id, id, generation)) {
        (Some(presented), Some(mac)) => {
            let matches = |a: &[u8], b: &[u8]| {
                aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
            };
            matches(&presented[..16], id.uuid().as_bytes()) && matches(&presented[16..], &mac)
        }
        _ => false,
    }
}

fn mac(keys: &KeyRing, key_id: &str, id: TicketId, generation: u32) -> Option<[u8; MAC_BYTES]> {
    let secret = keys.derive_with(key_id, PURPOSE, id.uuid(), generation)?;
    let bytes = URL_SAFE_NO_PAD.decode(secret.expose()).ok()?;
    bytes.first_chunk().copied()
}

fn base32(bytes: &[u8; CODE_BYTES]) -> String {
    let bit = |index: usize| {
        bytes
            .get(index / 8)
            .map_or(0, |byte| byte >> (7 - index % 8) & 1)
    };
    let digit = |place: usize| (place * 5..place * 5 + 5).fold(0, |v, i| v << 1 | bit(i));
    (0..CODE_CHARS)
        .map(|place| char::from(ALPHABET[usize::from(digit(place))]))
        .collect()
}

/// One spelling per code: no lower case, no look-alikes, no bits beyond the last byte.
fn from_base32(text: &str) -> Option<[u8; CODE_BYTES]> {
    if text.len() != CODE_CHARS {
        return None;
    }
    let mut bytes = [0; CODE_BYTES];
    for (place, letter) in text.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|&known| known == letter)?;
        for offset in 0..5 {
            let index = place * 5 + offset;
            let bit = u8::from(digit >> (4 - offset) & 1 == 1);
            match bytes.get_mut(index / 8) {
                Some(byte) => *byte |= bit << (7 - index % 8),
                None if bit == 0 => {}
                None => return None,
            }
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ring(id: &str, byte: u8) -> String {
        format!("{id}:{}", URL_SAFE_NO_PAD.encode([byte; 32]))
    }

    fn keys() -> KeyRing {
        ring("a", 1).parse().unwrap()
    }

    fn id(number: u128) -> TicketId {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn a_code_is_short_and_fits_the_dense_mode_of_a_qr_code() {
        let code = encode(&keys(), "a", id(7), 1).unwrap();
        assert_eq!(code.len(), 55);
        assert!(
            code.bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        );
        assert_eq!(ticket_id(&code), Some(id(7)));
        assert!(verify(&keys(), "a", id(7), 1, &code));
    }

    #[test]
    fn a_code_fits_one_ticket_one_generation_and_one_key() {
        let code = encode(&keys(), "a", id(7), 1).unwrap();
        assert!(!verify(&keys(), "a", id(8), 1, &code));
        assert!(!verify(&keys(), "a", id(7), 2, &code));
        assert!(!verify(
            &ring("a", 2).parse().unwrap(),
            "a",
            id(7),
            1,
            &code
        ));
        let rotated: KeyRing = format!("{},{}", ring("b", 2), ring("a", 1))
            .parse()
            .unwrap();
        assert!(verify(&rotated, "a", id(7), 1, &code));
        assert_eq!(encode(&keys(), "gone", id(7), 1), None);
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes: [u8; CODE_BYTES]) {
            prop_assert_eq!(from_base32(&base32(&bytes)), Some(bytes));
        }

        #[test]
        fn one_changed_character_is_refused(number: u128, place in 0usize..55, letter in "[0-9A-Z]") {
            let code = encode(&keys(), "a", id(number), 1).unwrap();
            let mut changed = code.clone();
            changed.replace_range(place..=place, &letter);
            prop_assert_eq!(verify(&keys(), "a", id(number), 1, &changed), changed == code);
        }

        #[test]
        fn noise_never_panics(text in "\\PC{0,60}") {
            prop_assert!(!verify(&keys(), "a", id(1), 1, &text));
            let _ = ticket_id(&format!("BX1{text}"));
        }
    }
}
