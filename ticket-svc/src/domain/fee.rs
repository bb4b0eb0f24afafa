//! The service fee of a ticket, and what a guest pays for one.

use base::round_half_up_div;

const PPM: u64 = 1_000_000;

/// Who bears the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeMode {
    /// It is a part of the price that the admin set.
    Absorbed,
    /// It comes on top of it.
    Added,
}

impl FeeMode {
    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Absorbed => "absorbed",
            Self::Added => "added",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Absorbed, Self::Added]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}

/// Per ticket: fixed + price × rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    pub mode: FeeMode,
    /// 0 to `limits::PRICE_MAX_MINOR`.
    pub fixed_minor: i64,
    /// Parts per million of the price, 0 to `limits::FEE_RATE_MAX_PPM`.
    pub rate_ppm: u32,
}

/// What a guest pays for one ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitPrice {
    pub price_minor: i64,
    /// Contained in `price_minor`.
    pub fee_minor: i64,
}

impl Fee {
    pub const NONE: Self = Self {
        mode: FeeMode::Absorbed,
        fixed_minor: 0,
        rate_ppm: 0,
    };

    /// For a ticket of this price, 0 to `limits::PRICE_MAX_MINOR`: rounded once, in minor units,
    /// so it is the same rule for every currency. A free ticket has no fee, and an absorbed one is
    /// never more than the price.
    pub fn of(self, price_minor: i64) -> UnitPrice {
        if price_minor == 0 {
            return UnitPrice {
                price_minor,
                fee_minor: 0,
            };
        }
        let share = i128::from(price_minor) * i128::from(self.rate_ppm);
        let share = round_half_up_div(share, PPM)
            .expect("invariant: a rate of at most the whole gives at most the price");
        let fee_minor = self.fixed_minor + share;
        match self.mode {
            FeeMode::Absorbed => UnitPrice {
                price_minor,
                fee_minor: fee_minor.min(price_minor),
            },
            FeeMode::Added => UnitPrice {
                price_minor: price_minor + fee_minor,
                fee_minor,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::{FEE_RATE_MAX_PPM, LINES_MAX, PRICE_MAX_MINOR};
    use base::{Currency, Money};
    use proptest::prelude::*;

    fn fee(mode: FeeMode, fixed_minor: i64, rate_ppm: u32) -> Fee {
        Fee {
            mode,
            fixed_minor,
            rate_ppm,
        }
    }

    proptest! {
        #[test]
        fn a_fee_is_a_part_of_what_is_paid(
            price in 0..=PRICE_MAX_MINOR,
            fixed in 0..=PRICE_MAX_MINOR,
            rate in 0..=FEE_RATE_MAX_PPM,
        ) {
            let absorbed = fee(FeeMode::Absorbed, fixed, rate).of(price);
            prop_assert_eq!(absorbed.price_minor, price);
            prop_assert!((0..=price).contains(&absorbed.fee_minor));
            let added = fee(FeeMode::Added, fixed, rate).of(price);
            prop_assert_eq!(added.price_minor - added.fee_minor, price);
            prop_assert!(added.fee_minor >= absorbed.fee_minor);
            if price == 0 {
                prop_assert_eq!((absorbed.fee_minor, added), (0, absorbed));
            }
        }

        #[test]
        fn it_is_rounded_once_to_the_nearest_unit(
            price in 1..=PRICE_MAX_MINOR,
            fixed in 0..=PRICE_MAX_MINOR,
            rate in 0..=FEE_RATE_MAX_PPM,
        ) {
            let charged = fee(FeeMode::Added, fixed, rate).of(price).fee_minor;
            // Twice the distance to the exact share, in millionths of a unit.
            let exact = i128::from(price) * i128::from(rate);
            let off = 2 * (i128::from(charged - fixed) * i128::from(PPM) - exact);
            prop_assert!(-i128::from(PPM) < off && off <= i128::from(PPM), "{off}");
        }

        #[test]
        fn a_dearer_ticket_never_has_a_smaller_fee(
            price in 1..PRICE_MAX_MINOR,
            fixed in 0..=PRICE_MAX_MINOR,
            rate in 0..=FEE_RATE_MAX_PPM,
        ) {
            for mode in [FeeMode::Absorbed, FeeMode::Added] {
                let fee = fee(mode, fixed, rate);
                let (one, next) = (fee.of(price), fee.of(price + 1));
                prop_assert!(one.fee_minor <= next.fee_minor && one.price_minor < next.price_minor);
            }
        }
    }

    #[test]
    fn currencies_without_decimals_with_two_and_with_three() {
        let added = |code: &str, price, fixed| {
            let currency: Currency = code.parse().unwrap();
            let unit = fee(FeeMode::Added, fixed, 25_000).of(price);
            let [price, fee] = [unit.price_minor, unit.fee_minor];
            format!(
                "{} {}",
                Money::new(price, currency),
                Money::new(fee, currency)
            )
        };
        assert_eq!(added("JPY", 4_500, 50), "4663 JPY 163 JPY");
        assert_eq!(added("EUR", 4_500, 50), "46.63 EUR 1.63 EUR");
        assert_eq!(added("KWD", 4_500, 50), "4.663 KWD 0.163 KWD");
    }

    #[test]
    fn the_dearest_hold_fits_its_total() {
        let unit = fee(FeeMode::Added, PRICE_MAX_MINOR, FEE_RATE_MAX_PPM).of(PRICE_MAX_MINOR);
        let tickets = i64::try_from(LINES_MAX * 100).unwrap();
        assert!(unit.price_minor.checked_mul(tickets).is_some());
    }

    #[test]
    fn a_small_price_is_all_that_an_absorbed_fee_takes() {
        let unit = fee(FeeMode::Absorbed, 100, 0).of(30);
        assert_eq!((unit.price_minor, unit.fee_minor), (30, 30));
        assert_eq!(Fee::NONE.of(30).fee_minor, 0);
    }

    #[test]
    fn stored_words_come_back() {
        for mode in [FeeMode::Absorbed, FeeMode::Added] {
            assert_eq!(FeeMode::from_word(mode.word()), Some(mode));
        }
        assert_eq!(FeeMode::from_word("none"), None);
    }
}
