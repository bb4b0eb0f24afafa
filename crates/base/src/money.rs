//! Money in minor units of an ISO 4217 currency. No floats, no silent overflow, one rounding rule.

use std::fmt;
use std::str::FromStr;

/// ISO 4217 codes in use, by the number of decimal digits their minor unit has.
const DIGITS_0: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const DIGITS_2: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN \
    BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP \
    GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL \
    MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR \
    RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD \
    TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";
const DIGITS_3: &str = "BHD IQD JOD KWD LYD OMR TND";

/// A currency of ISO 4217, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    exponent: u8,
}

impl Currency {
    pub const EUR: Self = Self {
        code: "EUR",
        exponent: 2,
    };

    /// Three capital letters.
    pub const fn code(self) -> &'static str {
        self.code
    }

    /// How many decimal digits the minor unit has: 0, 2 or 3.
    pub const fn exponent(self) -> u8 {
        self.exponent
    }
}

/// Not a currency code of ISO 4217 (three capital letters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a currency code of ISO 4217, such as EUR")]
pub struct UnknownCurrency;

impl FromStr for Currency {
    type Err = UnknownCurrency;
    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        [(0, DIGITS_0), (2, DIGITS_2), (3, DIGITS_3)]
            .into_iter()
            .flat_map(|(exponent, codes)| codes.split(' ').map(move |code| Self { code, exponent }))
            .find(|currency| currency.code == text)
            .ok_or(UnknownCurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

serde_as_text!(Currency);

/// An amount in minor units (cents for EUR, whole yen for JPY). Serialized as `{"amount_minor": 4500, "currency": "EUR"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Money {
    pub amount_minor: i64,
    pub currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("the amount is too large")]
    Overflow,
    #[error("amounts of different currencies cannot be added")]
    CurrencyMismatch,
    #[error("there is nothing to divide the amount over")]
    NoWeight,
}

impl Money {
    pub const fn new(amount_minor: i64, currency: Currency) -> Self {
        Self {
            amount_minor,
            currency,
        }
    }

    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let amount = self.amount_minor.checked_add(other.amount_minor);
        amount
            .map(|amount| Self::new(amount, self.currency))
            .ok_or(MoneyError::Overflow)
    }

    pub fn checked_mul(self, quantity: u32) -> Result<Self, MoneyError> {
        let amount = self.amount_minor.checked_mul(i64::from(quantity));
        amount
            .map(|amount| Self::new(amount, self.currency))
            .ok_or(MoneyError::Overflow)
    }

    /// The total; zero of `currency` where there are no amounts.
    pub fn sum(
        currency: Currency,
        amounts: impl IntoIterator<Item = Self>,
    ) -> Result<Self, MoneyError> {
        amounts
            .into_iter()
            .try_fold(Self::zero(currency), Self::checked_add)
    }
}

/// For people: `45.00 EUR`, `4500 JPY`, `-0.050 KWD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.amount_minor < 0 { "-" } else { "" };
        let digits = usize::from(self.currency.exponent);
        let unit = 10u64.pow(u32::from(self.currency.exponent));
        let amount = self.amount_minor.unsigned_abs();
        let (whole, part) = (amount / unit, amount % unit);
        match digits {
            0 => write!(f, "{sign}{whole} {}", self.currency),
            _ => write!(f, "{sign}{whole}.{part:0digits$} {}", self.currency),
        }
    }
}

/// The one rounding rule: to the nearest minor unit, halves away from zero (2.5 → 3, −2.5 → −3), so that a refund is
/// the mirror image of its charge.
pub fn round_half_up_div(numerator: i128, denominator: u64) -> Result<i64, MoneyError> {
    if denominator == 0 {
        return Err(MoneyError::NoWeight);
    }
    let denominator = i128::from(denominator);
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    let away = if rest.abs() * 2 >= denominator {
        numerator.signum()
    } else {
        0
    };
    i64::try_from(quotient + away).map_err(|_| MoneyError::Overflow)
}

/// Splits `total_minor` in proportion to `weights` by the largest-remainder method: the shares add up to the total and
/// each is less than one minor unit from its exact value. Among equal remainders the larger weight gets the unit, then
/// the earlier one, so the order of the lines changes at most which of two equal lines is one unit ahead.
pub fn allocate(total_minor: i64, weights: &[u64]) -> Result<Vec<i64>, MoneyError> {
    let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let whole = i128::try_from(whole).map_err(|_| MoneyError::Overflow)?;
    if whole == 0 {
        return Err(MoneyError::NoWeight);
    }
    let exact = |weight: &u64| i128::from(total_minor) * i128::from(*weight);
    let mut shares: Vec<i128> = weights.iter().map(|w| exact(w).div_euclid(whole)).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder
        .sort_by_key(|&i| std::cmp::Reverse((exact(&weights[i]).rem_euclid(whole), weights[i])));

    let left_over = i128::from(total_minor) - shares.iter().sum::<i128>();
    let left_over = usize::try_from(left_over).map_err(|_| MoneyError::Overflow)?;
    for &i in by_remainder.iter().take(left_over) {
        shares[i] += 1;
    }
    shares
        .into_iter()
        .map(|s| i64::try_from(s).map_err(|_| MoneyError::Overflow))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn currencies() {
        assert_eq!(currency("EUR"), Currency::EUR);
        for (code, exponent) in [("JPY", 0), ("EUR", 2), ("ZWG", 2), ("TND", 3)] {
            assert_eq!(currency(code).exponent(), exponent);
            assert_eq!(currency(code).to_string(), code);
        }
        for bad in ["", "eur", "XXX", "EU", "EUR ", "R RS", " "] {
            assert_eq!(bad.parse::<Currency>(), Err(UnknownCurrency), "{bad:?}");
        }
        let all = [DIGITS_0, DIGITS_2, DIGITS_3].join(" ");
        assert!(all.split(' ').all(|code| code.len() == 3));
    }

    #[test]
    fn people_read() {
        let text = |amount, code| Money::new(amount, currency(code)).to_string();
        assert_eq!(text(4500, "EUR"), "45.00 EUR");
        assert_eq!(text(-5, "EUR"), "-0.05 EUR");
        assert_eq!(text(4500, "JPY"), "4500 JPY");
        assert_eq!(text(-50, "KWD"), "-0.050 KWD");
        assert_eq!(text(i64::MIN, "EUR"), "-92233720368547758.08 EUR");
    }

    #[test]
    fn nothing_overflows_silently() {
        let most = Money::new(i64::MAX, Currency::EUR);
        let cent = Money::new(1, Currency::EUR);
        assert_eq!(most.checked_add(cent), Err(MoneyError::Overflow));
        assert_eq!(most.checked_mul(2), Err(MoneyError::Overflow));
        let yen = Money::new(1, currency("JPY"));
        assert_eq!(cent.checked_add(yen), Err(MoneyError::CurrencyMismatch));
        assert_eq!(
            Money::sum(Currency::EUR, [cent, yen]),
            Err(MoneyError::CurrencyMismatch)
        );
        assert_eq!(
            Money::sum(Currency::EUR, []),
            Ok(Money::zero(Currency::EUR))
        );
    }

    #[test]
    fn rounding() {
        for (n, d, expected) in [
            (5, 2, 3),
            (-5, 2, -3),
            (4, 3, 1),
            (-4, 3, -1),
            (5, 3, 2),
            (0, 9, 0),
            (7, 7, 1),
        ] {
            assert_eq!(round_half_up_div(n, d), Ok(expected), "{n}/{d}");
        }
        assert_eq!(round_half_up_div(1, 0), Err(MoneyError::NoWeight));
        assert_eq!(round_half_up_div(i128::MAX, 1), Err(MoneyError::Overflow));
    }

    #[test]
    fn allocation() {
        assert_eq!(allocate(100, &[1, 1, 1]), Ok(vec![34, 33, 33]));
        assert_eq!(allocate(-100, &[1, 1, 1]), Ok(vec![-33, -33, -34]));
        assert_eq!(allocate(5, &[0, 3, 7]), Ok(vec![0, 1, 4]));
        assert_eq!(allocate(5, &[]), Err(MoneyError::NoWeight));
        assert_eq!(allocate(5, &[0, 0]), Err(MoneyError::NoWeight));
        assert!(allocate(i64::MIN, &[u64::MAX, u64::MAX, 1]).is_ok());
    }

    proptest! {
        #[test]
        fn shares_add_up_and_are_fair(total: i64, weights in prop::collection::vec(any::<u64>(), 1..20)) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let shares = allocate(total, &weights).unwrap();
            prop_assert_eq!(shares.iter().map(|s| i128::from(*s)).sum::<i128>(), i128::from(total));
            let whole: i128 = weights.iter().map(|w| i128::from(*w)).sum();
            for (share, weight) in shares.iter().zip(&weights) {
                let exact = i128::from(total) * i128::from(*weight);
                let floor = exact.div_euclid(whole);
                let within_one = i128::from(*share) == floor
                    || (i128::from(*share) == floor + 1 && exact.rem_euclid(whole) != 0);
                prop_assert!(within_one);
            }
        }

        #[test]
        fn the_order_of_lines_does_not_matter(total: i64, weights in prop::collection::vec(0u64..5, 1..12)) {
            prop_assume!(weights.iter().any(|w| *w > 0));
            let pairs = |weights: &[u64]| {
                let mut pairs: Vec<_> = weights.iter().copied().zip(allocate(total, weights).unwrap()).collect();
                pairs.sort_unstable();
                pairs
            };
            let backwards: Vec<u64> = weights.iter().rev().copied().collect();
            prop_assert_eq!(pairs(&weights), pairs(&backwards));
        }

        #[test]
        fn adding_and_multiplying_are_exact_or_an_error(a: i64, b: i64, n: u32) {
            let money = |amount| Money::new(amount, Currency::EUR);
            let sum = i64::try_from(i128::from(a) + i128::from(b)).map_err(|_| MoneyError::Overflow);
            prop_assert_eq!(money(a).checked_add(money(b)).map(|m| m.amount_minor), sum);
            let product = i64::try_from(i128::from(a) * i128::from(n)).map_err(|_| MoneyError::Overflow);
            prop_assert_eq!(money(a).checked_mul(n).map(|m| m.amount_minor), product);
        }

        #[test]
        fn rounding_is_at_most_half_a_unit_off(n in -1_000_000i128..1_000_000, d in 1u64..1000) {
            let rounded = i128::from(round_half_up_div(n, d).unwrap());
            prop_assert!((rounded * i128::from(d) - n).abs() * 2 <= i128::from(d));
            prop_assert_eq!(round_half_up_div(-n, d).unwrap(), -round_half_up_div(n, d).unwrap());
        }
    }
}
