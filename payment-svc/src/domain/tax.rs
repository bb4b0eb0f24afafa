//! Prices contain their tax. What a line contains is worked out once, when the order is bound, and
//! rounded once; everything later adds up stored amounts.

use base::{MoneyError, round_half_up_div};

const WHOLE_PPM: u64 = 1_000_000;

/// The tax inside `gross_minor` at `rate_ppm` parts per million of the net price: 19 % of 119.00 is 19.00.
pub fn contained_tax(gross_minor: i64, rate_ppm: u32) -> Result<i64, MoneyError> {
    let numerator = i128::from(gross_minor) * i128::from(rate_ppm);
    round_half_up_div(numerator, WHOLE_PPM + u64::from(rate_ppm))
}

/// What the total of a line contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineParts {
    pub tax_minor: i64,
    /// The service fee, with its tax.
    pub fee_minor: i64,
    /// A part of both.
    pub fee_tax_minor: i64,
}

/// The tax of the fee is at most the tax of the line, whatever is rounded: a part has no more than the
/// whole. None if the amounts do not fit.
pub fn line_parts(
    line_total_minor: i64,
    unit_fee_minor: i64,
    quantity: u32,
    rate_ppm: u32,
) -> Option<LineParts> {
    let fee_minor = unit_fee_minor.checked_mul(i64::from(quantity))?;
    if !(0..=line_total_minor).contains(&fee_minor) {
        return None;
    }
    Some(LineParts {
        tax_minor: contained_tax(line_total_minor, rate_ppm).ok()?,
        fee_minor,
        fee_tax_minor: contained_tax(fee_minor, rate_ppm).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use base::{Currency, Money};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The nearest minor unit to the exact tax, and the rest is its net price.
        #[test]
        fn it_is_rounded_once(gross in 0..=10_000_000_000_000_i64, rate in 0..=1_000_000_u32) {
            let tax = contained_tax(gross, rate).unwrap();
            prop_assert!((0..=gross).contains(&tax));
            let (whole, rate) = (i128::from(WHOLE_PPM), i128::from(rate));
            let error = i128::from(tax) * (whole + rate) - i128::from(gross) * rate;
            prop_assert!(2 * error.abs() <= whole + rate);
        }

        /// A refund is the mirror image of its charge.
        #[test]
        fn it_mirrors(gross in 0..=10_000_000_000_000_i64, rate in 0..=1_000_000_u32) {
            prop_assert_eq!(contained_tax(-gross, rate).unwrap(), -contained_tax(gross, rate).unwrap());
        }

        /// The rules that the table `order_lines` checks.
        #[test]
        fn the_parts_fit_the_whole(
            unit in 0..=1_000_000_000_i64,
            fee_of_unit in 0..=1_000_000_i64,
            quantity in 1..=100_u32,
            rate in 0..=1_000_000_u32,
        ) {
            let unit_fee = unit * fee_of_unit / 1_000_000;
            let total = unit * i64::from(quantity);
            let parts = line_parts(total, unit_fee, quantity, rate).unwrap();
            prop_assert!(0 <= parts.fee_tax_minor && parts.fee_tax_minor <= parts.tax_minor);
            prop_assert!(parts.fee_tax_minor <= parts.fee_minor && parts.fee_minor <= total);
            prop_assert!(parts.tax_minor - parts.fee_tax_minor <= total - parts.fee_minor);
        }
    }

    #[test]
    fn in_every_kind_of_currency() {
        for (code, gross, rate, tax) in [
            ("JPY", 1_100, 100_000, "100 JPY"),
            ("JPY", 999, 100_000, "91 JPY"),
            ("EUR", 11_900, 190_000, "19.00 EUR"),
            ("EUR", 9_000, 70_000, "5.89 EUR"),
            ("KWD", 1_050, 50_000, "0.050 KWD"),
            ("KWD", 1, 1_000_000, "0.001 KWD"),
            ("EUR", 9_000, 0, "0.00 EUR"),
        ] {
            let currency: Currency = code.parse().unwrap();
            let contained = contained_tax(gross, rate).unwrap();
            assert_eq!(Money::new(contained, currency).to_string(), tax);
        }
    }

    #[test]
    fn a_fee_above_the_price_is_no_fee() {
        assert_eq!(line_parts(100, 51, 2, 0), None);
        assert_eq!(line_parts(100, -1, 2, 0), None);
        assert_eq!(line_parts(100, i64::MAX, 2, 0), None);
    }
}
