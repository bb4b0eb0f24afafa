//! The number a guest reads out on the phone.

use uuid::Uuid;

/// Crockford's base 32: no I, L, O or U, so nothing is misread or rude.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: u32 = 10;

/// `BX-` and ten digits: the last 50 bits of the id. Not secret, and not quite unique.
pub fn order_number(id: Uuid) -> String {
    let bits = id.as_u128();
    let digits = (0..LENGTH).rev().map(|place| {
        let digit = usize::try_from((bits >> (5 * place)) & 31).expect("five bits are below 32");
        char::from(DIGITS[digit])
    });
    format!("BX-{}", digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_short() {
        assert_eq!(order_number(Uuid::from_u128(0)), "BX-0000000000");
        assert_eq!(order_number(Uuid::from_u128(33)), "BX-0000000011");
        assert_eq!(order_number(Uuid::max()), "BX-ZZZZZZZZZZ");
    }
}
