//! Base45 (RFC 9285): two bytes are three characters of those that a QR code stores densely.
//! Only even lengths: that is all that a code needs, and so each text has one meaning and each meaning
//! one text.

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const BASE: u32 = 45;

/// Three characters for each two bytes; a last odd byte is left out.
pub fn encode(bytes: &[u8]) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs
        .iter()
        .flat_map(|pair| {
            let number = u32::from(u16::from_be_bytes(*pair));
            // The lowest digit comes first.
            [number, number / BASE, number / BASE / BASE]
        })
        .map(|number| char::from(ALPHABET[(number % BASE) as usize]))
        .collect()
}

/// `N` bytes; none for a text of another length, with other characters, or with a group beyond 65535.
pub fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (groups, rest) = text.as_chunks::<3>();
    if !rest.is_empty() || groups.len() * 2 != N {
        return None;
    }
    let mut bytes = [0; N];
    for (pair, group) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(groups) {
        let [low, middle, high] = group.map(digit);
        let number = low? + middle? * BASE + high? * BASE * BASE;
        *pair = u16::try_from(number).ok()?.to_be_bytes();
    }
    Some(bytes)
}

fn digit(letter: u8) -> Option<u32> {
    (0..BASE)
        .zip(ALPHABET)
        .find_map(|(value, known)| (*known == letter).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_rfc() {
        assert_eq!(encode(b"AB"), "BB8");
        // Without their last byte, which would be an odd one.
        assert_eq!(encode(b"Hello!"), "%69 VD92E");
        assert_eq!(encode(b"base-4"), "UJCLQE7W5");
        assert_eq!(decode(b"QED8WE").as_ref(), Some(b"ietf"));
        assert_eq!(decode::<6>(b"QED8WEX0"), None);
    }

    #[test]
    fn a_group_beyond_two_bytes_means_nothing() {
        assert_eq!(decode(b"FGW"), Some([0xff, 0xff]));
        assert_eq!(decode::<2>(b"GGW"), None);
        assert_eq!(decode::<2>(b":::"), None);
        assert_eq!(decode::<2>(b"aB8"), None);
        assert_eq!(decode::<2>(b"BB"), None);
        assert_eq!(decode::<2>(b"BB80"), None);
        assert_eq!(decode::<2>(b"BB8BB8"), None);
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes: [u8; 90]) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len(), 135);
            prop_assert_eq!(decode(text.as_bytes()), Some(bytes));
        }

        #[test]
        fn a_text_that_means_something_is_its_own_spelling(text in "[0-9A-Z $%*+./:-]{6}") {
            if let Some(bytes) = decode::<4>(text.as_bytes()) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
