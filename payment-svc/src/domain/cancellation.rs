//! What comes of cancelling a paid order, by the rule of its event.

use time::{Duration, OffsetDateTime};

const PARTS: i128 = 1_000_000;

/// The rule as the order was bought by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Before the event begins.
    pub until_hours: i32,
    /// What is kept, in parts per million.
    pub fee_ppm: i32,
}

impl Rule {
    /// The first moment at which it is too late. It moves with the event.
    pub fn until(self, begins: OffsetDateTime) -> OffsetDateTime {
        begins.saturating_sub(Duration::hours(self.until_hours.into()))
    }

    /// What is kept of `left_minor`, rounded once, half up.
    pub fn fee_minor(self, left_minor: i64) -> i64 {
        let parts = i128::from(left_minor) * i128::from(self.fee_ppm);
        let fee = (parts + PARTS / 2).div_euclid(PARTS);
        i64::try_from(fee).unwrap_or(left_minor).min(left_minor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn fee(left: i64, fee_ppm: i32) -> i64 {
        let until_hours = 0;
        let rule = Rule {
            until_hours,
            fee_ppm,
        };
        rule.fee_minor(left)
    }

    #[test]
    fn the_fee_is_rounded_once() {
        assert_eq!(fee(9_000, 0), 0);
        assert_eq!(fee(9_000, 100_000), 900);
        assert_eq!(fee(9_005, 100_000), 901);
        assert_eq!(fee(9_004, 100_000), 900);
        assert_eq!(fee(9_000, 1_000_000), 9_000);
    }

    #[test]
    fn the_end_moves_with_the_event() {
        let (until_hours, fee_ppm) = (48, 0);
        let rule = Rule {
            until_hours,
            fee_ppm,
        };
        let until = rule.until(datetime!(2031-06-12 18:00 UTC));
        assert_eq!(until, datetime!(2031-06-10 18:00 UTC));
    }

    proptest! {
        #[test]
        fn a_fee_is_a_part_of_the_money(left in 0..=1_000_000_000_000_i64, ppm in 0..=1_000_000_i32) {
            let kept = fee(left, ppm);
            prop_assert!((0..=left).contains(&kept));
        }
    }
}
