//! How many guests may watch at once: each keeps a connection open for as long as they like.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kit::{Code, ErrorReason, Failure};

use crate::network::NetworkId;

/// Somebody else has to leave first.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Counts who watches, and how many of them have a network, or whatever else a key is, in common.
pub struct Streams<K: Copy + Eq + Hash = NetworkId> {
    open: Mutex<Open<K>>,
    max: usize,
    /// None: no limit.
    per_key_max: Option<usize>,
}

struct Open<K> {
    all: usize,
    by_key: HashMap<K, usize>,
}

/// One who watches, until it is dropped.
pub struct Place<K: Copy + Eq + Hash = NetworkId> {
    streams: Arc<Streams<K>>,
    key: Option<K>,
}

impl<K: Copy + Eq + Hash> Streams<K> {
    /// So many at once, and so many of one key; 0 means no limit for a key.
    pub fn new(max: usize, per_key_max: usize) -> Arc<Self> {
        let open = Open {
            all: 0,
            by_key: HashMap::new(),
        };
        Arc::new(Self {
            open: Mutex::new(open),
            max,
            per_key_max: (per_key_max > 0).then_some(per_key_max),
        })
    }

    /// Of those whose key nobody knows only all together are counted.
    pub fn enter(self: &Arc<Self>, key: Option<K>) -> Result<Place<K>, Failure> {
        let mut open = self.open();
        if open.all >= self.max {
            let detail = "Too many watch at the moment. Ask now and then instead.";
            return Err(refusal(ErrorReason::Overloaded, detail));
        }
        let own = key.and_then(|key| open.by_key.get(&key).copied());
        let own = own.unwrap_or(0);
        if self.per_key_max.is_some_and(|max| own >= max) {
            let detail = "You watch as often as you may already. Ask now and then instead.";
            return Err(refusal(ErrorReason::TooManyRequests, detail));
        }
        open.all += 1;
        if let Some(key) = key {
            open.by_key.insert(key, own + 1);
        }
        let streams = self.clone();
        Ok(Place { streams, key })
    }

    /// How many watch now.
    pub fn count(&self) -> usize {
        self.open().all
    }

    fn open(&self) -> MutexGuard<'_, Open<K>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        open.all -= 1;
        let Some(key) = self.key else {
            return;
        };
        let own = open.by_key.get(&key).copied().unwrap_or(0);
        if own > 1 {
            open.by_key.insert(key, own - 1);
        } else {
            open.by_key.remove(&key);
        }
    }
}

fn refusal(reason: ErrorReason, detail: &str) -> Failure {
    let mut failure = Failure::refused(Code::ResourceExhausted, reason, detail);
    failure.retry_after = Some(RETRY_AFTER);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_and_come_back() {
        let streams = Streams::new(3, 2);
        let enter = |address: &str| {
            let network = NetworkId::of(address.parse().unwrap());
            streams.enter(Some(network))
        };
        let first = enter("2001:db8:0:1::1").unwrap();
        let second = enter("2001:db8:0:2::9").unwrap();
        let refused = enter("2001:db8:0:ff::3").map(drop).unwrap_err();
        assert_eq!(refused.reason, ErrorReason::TooManyRequests);
        assert!(refused.retry_after.is_some());
        let third = enter("192.0.2.1").unwrap();
        let refused = enter("192.0.2.2").map(drop).unwrap_err();
        assert_eq!(refused.reason, ErrorReason::Overloaded);
        drop((first, third));
        drop(enter("2001:db8:0:3::").unwrap());
        drop(second);
        assert_eq!(streams.count(), 0);
        assert!(streams.open().by_key.is_empty());
    }
}
