//! SHA-256 and hexadecimal text.

use aws_lc_rs::digest::{Context, SHA256};
use std::fmt::Write as _;

/// SHA-256.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    digest_of([bytes])
}

/// SHA-256 of the parts, each preceded by its length: `["ab", "c"]` and `["a", "bc"]` differ.
pub(crate) fn digest_framed(parts: &[&[u8]]) -> [u8; 32] {
    let lengths: Vec<[u8; 8]> = parts.iter().map(|part| length_prefix(part)).collect();
    let framed = lengths
        .iter()
        .zip(parts)
        .flat_map(|(length, part)| [length.as_slice(), part]);
    digest_of(framed)
}

/// The length of `part` as eight bytes, big end first.
pub(crate) fn length_prefix(part: &[u8]) -> [u8; 8] {
    (part.len() as u64).to_be_bytes()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn digest_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digest() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&digest(b"abc")), abc);
    }

    #[test]
    fn framing_keeps_the_parts_apart() {
        assert_ne!(digest_framed(&[b"ab", b"c"]), digest_framed(&[b"a", b"bc"]));
        assert_ne!(digest_framed(&[b"ab"]), digest_framed(&[b"ab", b""]));
    }
}
