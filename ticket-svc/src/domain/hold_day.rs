//! The day of a hold's id. Ids that are drawn from guests' keys alone fall anywhere: with years of holds in the
//! tables, each new one changes pages of its own in every index. A day in front keeps those of one day together.

use base::HoldId;
use time::{Date, Duration, OffsetDateTime, Time, macros::date};
use uuid::Uuid;

const FIRST: Date = date!(2020 - 01 - 01);
/// About midnight two services may not agree on the day. Longer than their clocks differ and a batch lasts.
const TURN: Duration = Duration::MINUTE;

/// A day of UTC, counted from the first of 2020; there are two bytes for it, until 2199.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldDay(u16);

impl HoldDay {
    pub fn of(now: OffsetDateTime) -> Self {
        let days = now.to_utc().date().to_julian_day() - FIRST.to_julian_day();
        // Before and after its time the ids are not together, and right all the same.
        Self(u16::try_from(days).unwrap_or_default())
    }

    fn before(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    fn after(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The other days on which the hold of a key may have been made that comes now.
    pub fn others(self, now: OffsetDateTime) -> Vec<Self> {
        if day_turns(now) {
            vec![self.before(), self.after()]
        } else {
            vec![self.before()]
        }
    }

    /// The id of the hold that is made for a key on this day. `key_id` is derived from the key.
    pub fn hold_id(self, key_id: Uuid) -> HoldId {
        let mut bytes = key_id.into_bytes();
        bytes[..2].copy_from_slice(&self.0.to_be_bytes());
        Uuid::from_bytes(bytes).into()
    }
}

/// Whether a copy of what is asked for now may be under way with the id of another day.
pub fn day_turns(now: OffsetDateTime) -> bool {
    let of_day = now.to_utc().time() - Time::MIDNIGHT;
    of_day < TURN || of_day >= Duration::DAY - TURN
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::derived_id;
    use time::macros::datetime;

    #[test]
    fn ids_of_a_day_are_together_and_those_of_other_keys_differ() {
        let key_ids = ["0123456789abcdef", "0123456789abcdeg"]
            .map(|key| derived_id("holds", &key.parse().unwrap()));
        let today = HoldDay::of(datetime!(2026-11-20 23:59:59 UTC));
        let next = HoldDay::of(datetime!(2026-11-21 00:00 UTC));
        assert_eq!((next.before(), today.after()), (today, next));
        let ids = key_ids.map(|key_id| today.hold_id(key_id).uuid());
        assert_ne!(ids[0], ids[1]);
        assert_eq!(ids[0].as_bytes()[..2], ids[1].as_bytes()[..2]);
        for key_id in key_ids {
            assert!(ids.iter().max() < Some(&next.hold_id(key_id).uuid()));
        }
        // Stored ids were made by this rule: it may not change.
        assert_eq!(ids[0].to_string(), "09d361b9-6fe0-8891-be8a-e0fbecfc81ac");
    }

    #[test]
    fn a_day_is_one_of_utc() {
        let there = datetime!(2026-11-21 00:30 +1);
        assert_eq!(
            HoldDay::of(there),
            HoldDay::of(datetime!(2026-11-20 12:00 UTC))
        );
        assert_eq!(HoldDay::of(datetime!(2019-12-31 00:00 UTC)), HoldDay(0));
        assert_eq!(HoldDay(0).before(), HoldDay(u16::MAX));
    }

    #[test]
    fn the_day_turns_about_midnight() {
        let others = |now| HoldDay(7).others(now).len();
        assert_eq!(others(datetime!(2026-11-20 12:00 UTC)), 1);
        assert_eq!(others(datetime!(2026-11-20 23:59:59 UTC)), 2);
        assert!(!day_turns(datetime!(2026-11-20 23:58:59.9 UTC)));
        assert!(day_turns(datetime!(2026-11-20 23:59:00 UTC)));
        assert!(day_turns(datetime!(2026-11-21 00:00:59.9 UTC)));
        assert!(!day_turns(datetime!(2026-11-21 00:01:00 UTC)));
        assert!(day_turns(datetime!(2026-11-21 01:00:01 +1)));
    }
}
