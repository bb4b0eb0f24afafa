//! The generic cell rate algorithm (ITU-T I.371, annex A) in a table of a fixed size. Of each subject one
//! moment is kept: when it will have everything again. Who has everything needs no entry, so the one
//! whose moment is nearest makes room for another, and memory never grows.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

const SETS: usize = 1 << SET_BITS;
const SET_BITS: u32 = 13;
/// Subjects whose hashes lead to the same set; one more pushes out the one who owes least.
const WAYS: usize = 8;

/// So many at once, and one more each time this has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub burst: u32,
    pub every: Duration,
}

impl Pace {
    pub const fn per_minute(burst: u32, per_minute: u32) -> Self {
        Self::within(burst, per_minute, Duration::from_secs(60))
    }

    /// `count` within `period`, evenly, after the burst.
    pub const fn within(burst: u32, count: u32, period: Duration) -> Self {
        let every = period.as_secs() * 1_000_000_000 / count as u64;
        let every = Duration::from_nanos(every);
        Self { burst, every }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The hash of the subject; 0 where there is none.
    subject: u64,
    /// When it has everything again, in nanoseconds since the start.
    full_at: u64,
}

pub struct Buckets {
    start: Instant,
    /// Nobody can choose subjects that fall together: the hash has a key of its own.
    hasher: RandomState,
    sets: Box<[Mutex<[Slot; WAYS]>]>,
}

impl Buckets {
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            hasher: RandomState::new(),
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Takes `cost` of what the subject has. Err: nothing was taken, and that much will be there after
    /// this time.
    pub fn take(
        &self,
        subject: impl Hash,
        pace: Pace,
        cost: u32,
        now: Instant,
    ) -> Result<(), Duration> {
        let now = self.nanos_until(now);
        let every = nanos(pace.every);
        let subject = self.subject(subject);
        let mut set = self.set(subject);
        let slot = find(&mut set, subject);
        // What costs more than there ever is costs all of it.
        let cost = u64::from(cost.min(pace.burst));
        let full_at = slot.full_at.max(now) + every * cost;
        let latest = now + every * u64::from(pace.burst);
        if full_at > latest {
            return Err(Duration::from_nanos(full_at - latest));
        }
        *slot = Slot { subject, full_at };
        Ok(())
    }

    /// Takes `cost` of what the subject has, or all of it where that is less.
    pub fn charge(&self, subject: impl Hash, pace: Pace, cost: u32, now: Instant) {
        let now = self.nanos_until(now);
        let every = nanos(pace.every);
        let subject = self.subject(subject);
        let mut set = self.set(subject);
        let slot = find(&mut set, subject);
        let cost = u64::from(cost.min(pace.burst));
        let latest = now + every * u64::from(pace.burst);
        let full_at = (slot.full_at.max(now) + every * cost).min(latest);
        *slot = Slot { subject, full_at };
    }

    /// Takes it back that `cost` was taken.
    pub fn give_back(&self, subject: impl Hash, pace: Pace, cost: u32) {
        let subject = self.subject(subject);
        let mut set = self.set(subject);
        let known = set.iter_mut().find(|slot| slot.subject == subject);
        if let Some(slot) = known {
            let cost = u64::from(cost.min(pace.burst));
            slot.full_at = slot.full_at.saturating_sub(nanos(pace.every) * cost);
        }
    }

    /// Whether anything was taken that has not come back yet.
    pub fn owes(&self, subject: impl Hash, now: Instant) -> bool {
        let subject = self.subject(subject);
        let set = self.set(subject);
        let now = self.nanos_until(now);
        set.iter()
            .any(|slot| slot.subject == subject && slot.full_at > now)
    }

    /// Gives everything back. False if nothing was taken, so of many at once only one hears yes.
    pub fn forget(&self, subject: impl Hash, now: Instant) -> bool {
        let subject = self.subject(subject);
        let mut set = self.set(subject);
        let known = set.iter_mut().find(|slot| slot.subject == subject);
        known.is_some_and(|slot| std::mem::take(slot).full_at > self.nanos_until(now))
    }

    fn nanos_until(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.start))
    }

    fn subject(&self, subject: impl Hash) -> u64 {
        self.hasher.hash_one(subject).max(1)
    }

    fn set(&self, subject: u64) -> MutexGuard<'_, [Slot; WAYS]> {
        let place = usize::try_from(subject >> (u64::BITS - SET_BITS)).unwrap_or(0);
        let set = &self.sets[place];
        set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of the subject, or the one to be given to it.
fn find(set: &mut [Slot; WAYS], subject: u64) -> &mut Slot {
    let known = set.iter().position(|slot| slot.subject == subject);
    let index = known.unwrap_or_else(|| {
        let by_debt = set.iter().enumerate().min_by_key(|(_, slot)| slot.full_at);
        let index = by_debt.map_or(0, |(index, _)| index);
        set[index] = Slot::default();
        index
    });
    &mut set[index]
}

/// 584 years fit.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace::per_minute(3, 60);

    #[test]
    fn a_burst_and_then_the_pace() {
        let start = Instant::now();
        let buckets = Buckets::new(start);
        for _ in 0..3 {
            assert_eq!(buckets.take("a", PACE, 1, start), Ok(()));
        }
        let second = Duration::from_secs(1);
        assert_eq!(buckets.take("a", PACE, 1, start), Err(second));
        assert_eq!(buckets.take("b", PACE, 1, start), Ok(()), "another's");
        assert_eq!(buckets.take("a", PACE, 1, start + second), Ok(()));
        assert_eq!(buckets.take("a", PACE, 1, start + second), Err(second));
        let later = start + second * 100;
        for _ in 0..3 {
            assert_eq!(buckets.take("a", PACE, 1, later), Ok(()));
        }
        assert_eq!(buckets.take("a", PACE, 1, later), Err(second));
    }

    #[test]
    fn what_is_refused_takes_nothing_and_a_large_wish_takes_all() {
        let start = Instant::now();
        let buckets = Buckets::new(start);
        assert_eq!(buckets.take("a", PACE, 2, start), Ok(()));
        let wait = Err(Duration::from_secs(1));
        assert_eq!(buckets.take("a", PACE, 2, start), wait);
        assert_eq!(buckets.take("a", PACE, 2, start), wait);
        assert_eq!(buckets.take("a", PACE, 1, start), Ok(()));
        assert_eq!(buckets.take("b", PACE, 1_000_000, start), Ok(()));
        let all = Err(Duration::from_secs(3));
        assert_eq!(buckets.take("b", PACE, 1_000_000, start), all);
    }

    #[test]
    fn what_is_charged_is_never_more_than_there_is() {
        let start = Instant::now();
        let buckets = Buckets::new(start);
        buckets.charge("a", PACE, 1, start);
        assert_eq!(buckets.take("a", PACE, 2, start), Ok(()));
        buckets.charge("a", PACE, 1_000_000, start);
        let second = Duration::from_secs(1);
        assert_eq!(buckets.take("a", PACE, 1, start), Err(second));
        assert_eq!(buckets.take("a", PACE, 1, start + second), Ok(()));
        assert_eq!(buckets.take("b", PACE, 3, start), Ok(()));
    }

    #[test]
    fn what_is_given_back_is_there_again() {
        let start = Instant::now();
        let buckets = Buckets::new(start);
        buckets.take("a", PACE, 3, start).unwrap();
        buckets.give_back("a", PACE, 2);
        assert_eq!(buckets.take("a", PACE, 2, start), Ok(()));
        assert!(buckets.take("a", PACE, 1, start).is_err());
        // Of more than was taken nobody gets more than there ever is.
        buckets.give_back("a", PACE, 3);
        buckets.give_back("a", PACE, 3);
        assert_eq!(buckets.take("a", PACE, 3, start), Ok(()));
        assert!(buckets.take("a", PACE, 1, start).is_err());
    }

    #[test]
    fn what_is_forgotten_was_there_once() {
        let start = Instant::now();
        let buckets = Buckets::new(start);
        assert!(!buckets.owes("a", start) && !buckets.forget("a", start));
        buckets.take("a", PACE, 1, start).unwrap();
        assert!(buckets.owes("a", start) && !buckets.owes("b", start));
        assert!(buckets.forget("a", start));
        assert!(!buckets.owes("a", start) && !buckets.forget("a", start));
        buckets.take("a", PACE, 1, start).unwrap();
        let later = start + PACE.every;
        assert!(!buckets.owes("a", later) && !buckets.forget("a", later));
    }

    #[test]
    fn a_flood_of_others_does_not_free_who_owes_most() {
        let start = Instant::now();
        let buckets = Buckets::new(start);
        for _ in 0..3 {
            buckets.take("a", PACE, 1, start).unwrap();
        }
        for other in 0..200_000_u32 {
            buckets.take(other, PACE, 1, start).unwrap();
        }
        assert!(buckets.take("a", PACE, 1, start).is_err());
    }
}
