//! Amounts as Stripe writes them. Mostly ISO 4217's minor unit, with the exceptions of
//! <https://docs.stripe.com/currencies>. (HUF and TWD are special for payouts only.)

use base::{Currency, Money};

#[derive(Clone, Copy)]
enum Scale {
    Same,
    /// No decimals any more; Stripe keeps writing two, for the sake of its old callers.
    HundredToOurOne,
    /// Two decimals at ISO, none at Stripe.
    OneToOurHundred,
    /// Three decimals; the last one must be 0.
    SameInTens,
}

/// None: Stripe does not take it.
fn scale(currency: Currency) -> Option<Scale> {
    match (currency.code(), currency.exponent()) {
        ("ISK" | "UGX", _) => Some(Scale::HundredToOurOne),
        ("MGA", _) => Some(Scale::OneToOurHundred),
        ("BHD" | "JOD" | "KWD" | "OMR" | "TND", _) => Some(Scale::SameInTens),
        (_, 3) => None,
        _ => Some(Scale::Same),
    }
}

/// Amount and currency of a request, or why there is none.
pub(super) fn to_stripe(money: Money) -> Result<(i64, String), String> {
    let (minor, currency) = (money.amount_minor, money.currency);
    let amount = match scale(currency) {
        None => return Err(format!("Stripe does not take {currency}")),
        Some(Scale::Same) => Some(minor),
        Some(Scale::HundredToOurOne) => minor.checked_mul(100),
        Some(Scale::OneToOurHundred) => (minor % 100 == 0).then_some(minor / 100),
        Some(Scale::SameInTens) => (minor % 10 == 0).then_some(minor),
    };
    amount
        .map(|amount| (amount, currency.code().to_ascii_lowercase()))
        .ok_or_else(|| format!("Stripe cannot take exactly {money}"))
}

/// None if Stripe never writes this.
pub(super) fn from_stripe(amount: i64, currency: &str) -> Option<Money> {
    let currency: Currency = currency.to_ascii_uppercase().parse().ok()?;
    let minor = match scale(currency)? {
        Scale::Same | Scale::SameInTens => Some(amount),
        Scale::HundredToOurOne => (amount % 100 == 0).then_some(amount / 100),
        Scale::OneToOurHundred => amount.checked_mul(100),
    };
    minor.map(|minor| Money::new(minor, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, code.parse().unwrap())
    }

    #[test]
    fn amounts_go_there_and_back() {
        for (minor, code, amount) in [
            (4500, "EUR", 4500),
            (4500, "HUF", 4500),
            (500, "JPY", 500),
            (5, "UGX", 500),
            (5, "ISK", 500),
            (50_000, "MGA", 500),
            (5120, "KWD", 5120),
        ] {
            let written = to_stripe(money(minor, code));
            assert_eq!(written, Ok((amount, code.to_ascii_lowercase())));
            let lower = code.to_ascii_lowercase();
            assert_eq!(from_stripe(amount, &lower), Some(money(minor, code)));
        }
    }

    #[test]
    fn what_stripe_cannot_take_is_said() {
        for (minor, code, why) in [
            (5124, "KWD", "Stripe cannot take exactly 5.124 KWD"),
            (50_050, "MGA", "Stripe cannot take exactly 500.50 MGA"),
            (i64::MAX, "UGX", "Stripe cannot take exactly"),
            (1000, "IQD", "Stripe does not take IQD"),
        ] {
            assert!(to_stripe(money(minor, code)).unwrap_err().starts_with(why));
        }
        assert_eq!(from_stripe(550, "isk"), None);
        assert_eq!(from_stripe(1, "xxx"), None);
    }
}
