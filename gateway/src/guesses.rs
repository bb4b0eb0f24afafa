//! Links that lead nowhere, counted by network: whoever tries many is made to wait. The secrets cannot be
//! guessed anyway; this keeps the tries from costing anything.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kit::{Code, ErrorReason, Failure};

const WINDOW: Duration = Duration::from_secs(60);
/// Networks in memory; beyond that the ones whose time is over go, and then all.
const NETWORKS_MAX: usize = 10_000;

#[derive(Debug)]
pub struct Guesses {
    /// 0: no limit.
    most: u32,
    networks: Mutex<HashMap<String, Count>>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Instant,
    wrong: u32,
}

impl Guesses {
    pub fn new(most: u32) -> Self {
        Self {
            most,
            networks: Mutex::default(),
        }
    }

    /// Fails while a network has tried too many.
    pub fn check(&self, network: &str, now: Instant) -> Result<(), Failure> {
        if self.most == 0 {
            return Ok(());
        }
        let networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = networks.get(network) else {
            return Ok(());
        };
        let passed = now.saturating_duration_since(count.since);
        if count.wrong < self.most || passed >= WINDOW {
            return Ok(());
        }
        let detail = "Too many links that lead nowhere were opened from here. Wait a moment.";
        let reason = ErrorReason::TooManyRequests;
        let mut failure = Failure::refused(Code::ResourceExhausted, reason, detail);
        failure.retry_after = Some(WINDOW - passed);
        Err(failure)
    }

    /// One more that led nowhere.
    pub fn count(&self, network: &str, now: Instant) {
        if self.most == 0 {
            return;
        }
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.len() >= NETWORKS_MAX && !networks.contains_key(network) {
            networks.retain(|_, count| now.saturating_duration_since(count.since) < WINDOW);
            if networks.len() >= NETWORKS_MAX {
                networks.clear();
            }
        }
        let fresh = Count {
            since: now,
            wrong: 0,
        };
        let count = networks.entry(network.to_owned()).or_insert(fresh);
        if now.saturating_duration_since(count.since) >= WINDOW {
            *count = fresh;
        }
        count.wrong = count.wrong.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_tries_too_many_waits_and_no_other() {
        let (guesses, start) = (Guesses::new(3), Instant::now());
        for _ in 0..3 {
            assert!(guesses.check("a", start).is_ok());
            guesses.count("a", start);
        }
        let refused = guesses.check("a", start + Duration::from_secs(10));
        let refused = refused.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::TooManyRequests);
        assert_eq!(refused.retry_after, Some(Duration::from_secs(50)));
        assert!(guesses.check("b", start).is_ok());
        let later = start + WINDOW;
        assert!(guesses.check("a", later).is_ok());
        guesses.count("a", later);
        assert!(guesses.check("a", later).is_ok());
    }

    #[test]
    fn zero_is_no_limit_and_memory_is_bounded() {
        let (free, now) = (Guesses::new(0), Instant::now());
        free.count("a", now);
        assert!(free.check("a", now).is_ok());
        let guesses = Guesses::new(1);
        for network in 0..=NETWORKS_MAX {
            guesses.count(&network.to_string(), now);
        }
        assert!(guesses.networks.lock().unwrap().len() <= NETWORKS_MAX);
    }
}
