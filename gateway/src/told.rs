//! Who was told just now to wait with signing in. Whoever comes again within that second, with the same address from the
//! same network, hears the same from here: a storm of logins is none for the services behind.
//!
//! Who is told to wait is told a second at least, so nobody who does as told is refused by this memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kit::{Code, ErrorReason, Failure};

/// The least that user-svc tells anybody to wait.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// Callers in memory; beyond that the ones whose second is over go, and then all.
const CALLERS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct Told(Mutex<HashMap<Caller, Wait>>);

/// Whoever signs in with an address from a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller([u8; 32]);

#[derive(Clone, Debug)]
struct Wait {
    detail: String,
    told_at: Instant,
    free_at: Instant,
}

impl Caller {
    pub fn new(email: &str, network: &str) -> Self {
        Self(base::body_hash(&[email.as_bytes(), network.as_bytes()]))
    }
}

impl Told {
    /// Fails for who was told to wait less than a second ago.
    pub fn check(&self, caller: Caller, now: Instant) -> Result<(), Failure> {
        let callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wait) = callers.get(&caller).filter(|wait| wait.is_fresh(now)) else {
            return Ok(());
        };
        let (code, reason) = (Code::ResourceExhausted, ErrorReason::TooManyRequests);
        let mut failure = Failure::refused(code, reason, &*wait.detail);
        let rest = wait.free_at.saturating_duration_since(now);
        failure.retry_after = Some(rest.max(LEAST_WAIT));
        Err(failure)
    }

    /// Keeps what a caller was told, if that is to wait.
    pub fn remember(&self, caller: Caller, failure: &Failure, now: Instant) {
        let rest = failure.retry_after;
        let rest = rest.filter(|_| failure.reason == ErrorReason::TooManyRequests);
        let Some(rest) = rest.filter(|rest| *rest >= LEAST_WAIT) else {
            return;
        };
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX {
            callers.retain(|_, wait| wait.is_fresh(now));
        }
        if callers.len() >= CALLERS_MAX {
            callers.clear();
        }
        let wait = Wait {
            detail: failure.detail.clone(),
            told_at: now,
            free_at: now + rest,
        };
        callers.insert(caller, wait);
    }

    /// Somebody has another password: their network is known now, and what they were told is over.
    pub fn forget(&self) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers.clear();
    }
}

impl Wait {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.told_at) < LEAST_WAIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn too_often(rest: Duration) -> Failure {
        let (code, reason) = (Code::ResourceExhausted, ErrorReason::TooManyRequests);
        let mut failure = Failure::refused(code, reason, "Too often.");
        failure.retry_after = Some(rest);
        failure
    }

    fn ann() -> Caller {
        Caller::new("ann@example.org", "203.0.113.1")
    }

    #[test]
    fn a_caller_hears_what_is_left_for_a_second() {
        let (told, start) = (Told::default(), Instant::now());
        told.remember(ann(), &too_often(MINUTE), start);
        let soon = start + Duration::from_millis(999);
        let again = told.check(ann(), soon).unwrap_err();
        assert_eq!(again.reason, ErrorReason::TooManyRequests);
        assert_eq!(again.detail, "Too often.");
        assert_eq!(again.retry_after, Some(Duration::from_millis(59_001)));
        for other in [
            Caller::new("bob@example.org", "203.0.113.1"),
            Caller::new("ann@example.org", "203.0.113.2"),
        ] {
            assert!(told.check(other, soon).is_ok());
        }
        assert!(told.check(ann(), start + LEAST_WAIT).is_ok());
    }

    #[test]
    fn nobody_is_told_less_than_a_second_and_other_refusals_are_not_kept() {
        let (told, start) = (Told::default(), Instant::now());
        told.remember(ann(), &too_often(LEAST_WAIT), start);
        let soon = start + Duration::from_millis(900);
        let again = told.check(ann(), soon).unwrap_err();
        assert_eq!(again.retry_after, Some(LEAST_WAIT));
        told.forget();
        assert!(told.check(ann(), soon).is_ok());
        // Whoever is told less and comes again then is let through.
        told.remember(ann(), &too_often(LEAST_WAIT / 2), start);
        assert!(told.check(ann(), start).is_ok());
        let (code, reason) = (Code::Unauthenticated, ErrorReason::InvalidCredentials);
        let mut wrong = Failure::refused(code, reason, "Not this one.");
        wrong.retry_after = Some(MINUTE);
        told.remember(ann(), &wrong, start);
        assert!(told.check(ann(), start).is_ok());
    }

    fn crowd(told: &Told, callers: usize, now: Instant) {
        for number in 0..callers {
            let caller = Caller::new(&number.to_string(), "203.0.113.9");
            told.remember(caller, &too_often(MINUTE), now);
        }
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_who_makes_room_came_too_long_ago() {
        let (told, start) = (Told::default(), Instant::now());
        crowd(&told, 2 * CALLERS_MAX, start);
        assert!(told.0.lock().unwrap().len() <= CALLERS_MAX);
        told.forget();
        crowd(&told, CALLERS_MAX - 1, start);
        let later = start + LEAST_WAIT;
        told.remember(ann(), &too_often(MINUTE), later);
        told.remember(
            Caller::new("bob@example.org", ""),
            &too_often(MINUTE),
            later,
        );
        assert!(told.check(ann(), later).is_err());
        assert_eq!(told.0.lock().unwrap().len(), 2);
    }
}
