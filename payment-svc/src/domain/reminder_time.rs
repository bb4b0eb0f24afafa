//! When guests are reminded of an event: so many hours before it, by the clock of its place, and not in
//! the night.

use std::time::Duration;

use base::Zone;
use time::{OffsetDateTime, PrimitiveDateTime, Time};

/// Mails that would go out in the night go out in the evening before it.
const EVENING: Time = time::macros::time!(20:00);
const NIGHT: Time = time::macros::time!(21:00);
const MORNING: Time = time::macros::time!(8:00);
/// No reminder is moved by more.
pub const MOVED_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// Never later than `before` says.
pub fn reminder_time(begins: OffsetDateTime, zone: &Zone, before: Duration) -> OffsetDateTime {
    let local = zone.to_local(begins);
    let shown = PrimitiveDateTime::new(local.date(), local.time());
    let Some(shown) = shown.checked_sub(before.try_into().unwrap_or_default()) else {
        return begins;
    };
    let evening = if shown.time() >= NIGHT {
        Some(shown.date())
    } else if shown.time() < MORNING {
        shown.date().previous_day()
    } else {
        None
    };
    zone.at_local(evening.map_or(shown, |date| PrimitiveDateTime::new(date, EVENING)))
}

/// People sleep there.
pub fn is_night(at: OffsetDateTime, zone: &Zone) -> bool {
    let shown = zone.to_local(at).time();
    !(MORNING..NIGHT).contains(&shown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(begins: OffsetDateTime, zone: &str) -> OffsetDateTime {
        reminder_time(begins, &zone.parse().unwrap(), DAY)
    }

    #[test]
    fn a_day_before_by_the_clock_of_the_place() {
        let berlin = |begins| at(begins, "Europe/Berlin");
        assert_eq!(
            berlin(datetime!(2026-06-12 18:00 UTC)),
            datetime!(2026-06-11 18:00 UTC)
        );
        // Summer time began in between: 20:00 on both days.
        assert_eq!(
            berlin(datetime!(2026-03-29 18:00 UTC)),
            datetime!(2026-03-28 19:00 UTC)
        );
        assert_eq!(
            at(datetime!(2026-06-12 18:00 UTC), "Asia/Tokyo"),
            // It begins at 03:00 of the 13th there: 20:00 of the 11th.
            datetime!(2026-06-11 11:00 UTC)
        );
    }

    #[test]
    fn nobody_is_woken() {
        let utc = |begins| at(begins, "UTC");
        assert_eq!(
            utc(datetime!(2026-06-12 21:00 UTC)),
            datetime!(2026-06-11 20:00 UTC)
        );
        assert_eq!(
            utc(datetime!(2026-06-12 20:59 UTC)),
            datetime!(2026-06-11 20:59 UTC)
        );
        assert_eq!(
            utc(datetime!(2026-06-12 7:59 UTC)),
            datetime!(2026-06-10 20:00 UTC)
        );
        assert_eq!(
            utc(datetime!(2026-06-12 8:00 UTC)),
            datetime!(2026-06-11 8:00 UTC)
        );
        let zone = "UTC".parse().unwrap();
        assert!(is_night(datetime!(2026-06-12 7:59 UTC), &zone));
        assert!(!is_night(datetime!(2026-06-12 8:00 UTC), &zone));
        assert!(!is_night(datetime!(2026-06-12 20:59 UTC), &zone));
        assert!(is_night(datetime!(2026-06-12 21:00 UTC), &zone));
    }

    proptest! {
        #[test]
        fn in_good_time_and_by_day(
            unix in 1_700_000_000_i64..2_100_000_000,
            hours in 1_u64..720,
            zone in prop::sample::select(&["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"][..]),
        ) {
            let zone: Zone = zone.parse().unwrap();
            let begins = OffsetDateTime::from_unix_timestamp(unix).unwrap();
            let before = Duration::from_secs(hours * 3600);
            let reminded = reminder_time(begins, &zone, before);
            prop_assert!(!is_night(reminded, &zone));
            // An hour more or less where the clock changes in between.
            let hour = Duration::from_secs(3600);
            prop_assert!(reminded <= begins - before + hour);
            prop_assert!(reminded >= begins - before - MOVED_AT_MOST);
        }
    }
}
