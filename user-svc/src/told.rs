//! Who was told just now to wait. Whoever comes again within that second, for the same address from the same
//! network, hears the same without the database. A refusal is rolled back, so nobody waits for a flush of it; but it
//! costs a read, a transaction, and meanwhile a place among those that hash.
//!
//! Who is told to wait is told a second at least, so nobody who does as told is refused by this memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration as StdDuration,
};

use time::OffsetDateTime;

/// The least that anybody is told to wait.
pub(crate) const LEAST_WAIT: StdDuration = StdDuration::from_secs(1);
/// Callers in memory; beyond that the ones whose second is over go, and then all.
const CALLERS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<[u8; 32], Wait>>);

#[derive(Clone, Copy, Debug)]
struct Wait {
    told_at: OffsetDateTime,
    free_at: OffsetDateTime,
}

impl Told {
    /// What is left of the wait of a caller who was told so less than a second ago.
    pub(crate) fn rest(&self, caller: &[u8; 32], now: OffsetDateTime) -> Option<StdDuration> {
        let callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = callers.get(caller).filter(|wait| wait.is_fresh(now))?;
        let rest = StdDuration::try_from(wait.free_at - now).unwrap_or_default();
        Some(rest.max(LEAST_WAIT))
    }

    pub(crate) fn remember(&self, caller: [u8; 32], now: OffsetDateTime, rest: StdDuration) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX {
            callers.retain(|_, wait| wait.is_fresh(now));
        }
        if callers.len() >= CALLERS_MAX {
            callers.clear();
        }
        let wait = Wait {
            told_at: now,
            free_at: now + rest,
        };
        callers.insert(caller, wait);
    }

    /// Somebody has another password: their network is known now, and what they were told is over.
    pub(crate) fn forget(&self) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers.clear();
    }
}

impl Wait {
    fn is_fresh(&self, now: OffsetDateTime) -> bool {
        let passed = now - self.told_at;
        !passed.is_negative() && passed < LEAST_WAIT
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const ANN: [u8; 32] = [1; 32];
    const BOB: [u8; 32] = [2; 32];
    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn a_caller_hears_what_is_left_for_a_second() {
        let told = Told::default();
        told.remember(ANN, START, StdDuration::from_secs(60));
        let soon = START + Duration::milliseconds(999);
        assert_eq!(
            told.rest(&ANN, soon),
            Some(StdDuration::from_millis(59_001))
        );
        assert_eq!(told.rest(&BOB, soon), None);
        assert_eq!(told.rest(&ANN, START + Duration::SECOND), None);
        // A clock that was put back makes nobody wait longer.
        assert_eq!(told.rest(&ANN, START - Duration::SECOND), None);
    }

    #[test]
    fn nobody_is_told_less_than_a_second() {
        let told = Told::default();
        told.remember(ANN, START, LEAST_WAIT);
        let soon = START + Duration::milliseconds(900);
        assert_eq!(told.rest(&ANN, soon), Some(LEAST_WAIT));
    }

    #[test]
    fn who_has_another_password_does_not_wait() {
        let told = Told::default();
        told.remember(ANN, START, StdDuration::from_secs(60));
        told.forget();
        assert_eq!(told.rest(&ANN, START), None);
    }

    fn crowd(told: &Told, callers: usize) {
        for number in 0..callers {
            let mut caller = [0; 32];
            caller[..8].copy_from_slice(&number.to_be_bytes());
            told.remember(caller, START, LEAST_WAIT);
        }
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let told = Told::default();
        crowd(&told, 2 * CALLERS_MAX);
        assert!(told.0.lock().unwrap().len() <= CALLERS_MAX);
    }

    #[test]
    fn who_makes_room_is_who_came_too_long_ago() {
        let (told, later) = (Told::default(), START + Duration::SECOND);
        crowd(&told, CALLERS_MAX - 1);
        told.remember(ANN, later, LEAST_WAIT);
        told.remember(BOB, later, LEAST_WAIT);
        assert_eq!(told.rest(&ANN, later), Some(LEAST_WAIT));
        assert_eq!(told.0.lock().unwrap().len(), 2);
    }
}
