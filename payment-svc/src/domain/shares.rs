//! What single units of a line carry of it. A line was rounded once, as a whole; its minor units are
//! dealt out so that no unit differs by more than one, and all units together are the line again.

use std::ops::Range;

/// What the units `range` of `units` carry of `total`: the first ones have the odd minor units.
pub fn share(total: i64, units: i32, range: &Range<i32>) -> i64 {
    up_to(total, units, range.end) - up_to(total, units, range.start)
}

fn up_to(total: i64, units: i32, count: i32) -> i64 {
    let (units, count) = (i64::from(units.max(1)), i64::from(count));
    count * (total / units) + count.min(total % units)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_units_have_the_odd_ones() {
        let units: Vec<i64> = (0..4).map(|n| share(10, 4, &(n..n + 1))).collect();
        assert_eq!(units, [3, 3, 2, 2]);
        assert_eq!(share(10, 4, &(1..4)), 7);
    }

    proptest! {
        #[test]
        fn cut_anywhere_it_adds_up(
            total in 0..=10_000_000_000_000_i64, units in 1..=100_i32, cuts in prop::collection::vec(0..=100_i32, 0..9),
        ) {
            let mut cuts: Vec<i32> = cuts.into_iter().map(|cut| cut.min(units)).collect();
            cuts.extend([0, units]);
            cuts.sort_unstable();
            let sum: i64 = cuts.windows(2).map(|pair| share(total, units, &(pair[0]..pair[1]))).sum();
            prop_assert_eq!(sum, total);
        }

        /// A part of the line is in no unit more than the line is.
        #[test]
        fn a_part_stays_a_part(whole in 0..=1_000_000_i64, part in 0..=1_000_000_i64, units in 1..=100_i32) {
            let part = part.min(whole);
            for n in 0..units {
                prop_assert!(share(part, units, &(n..n + 1)) <= share(whole, units, &(n..n + 1)));
            }
        }
    }
}
