//! How many guests may watch at once: each keeps a connection open for as long as they like.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kit::{Code, ErrorReason, Failure};

use crate::network::NetworkId;

/// Somebody else has to leave first.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Counts who watches.
pub struct Streams {
    open: Mutex<Open>,
    max: usize,
    /// None: no limit.
    per_address_max: Option<usize>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_network: HashMap<NetworkId, usize>,
}

/// One who watches, until it is dropped.
pub struct Place {
    streams: Arc<Streams>,
    network: Option<NetworkId>,
}

impl Streams {
    /// So many at once, and so many from one address; 0 means no limit for an address.
    pub fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            max,
            per_address_max: (per_address_max > 0).then_some(per_address_max),
        })
    }

    /// Of those whose network nobody knows only all together are counted.
    pub fn enter(self: &Arc<Self>, network: Option<NetworkId>) -> Result<Place, Failure> {
        let mut open = self.open();
        if open.all >= self.max {
            let detail = "Too many watch at the moment. Ask now and then instead.";
            return Err(refusal(ErrorReason::Overloaded, detail));
        }
        let own = network.and_then(|network| open.by_network.get(&network).copied());
        let own = own.unwrap_or(0);
        if self.per_address_max.is_some_and(|max| own >= max) {
            let detail = "Too many watch from this address. Ask now and then instead.";
            return Err(refusal(ErrorReason::TooManyRequests, detail));
        }
        open.all += 1;
        if let Some(network) = network {
            open.by_network.insert(network, own + 1);
        }
        let streams = self.clone();
        Ok(Place { streams, network })
    }

    /// How many watch now.
    pub fn count(&self) -> usize {
        self.open().all
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        open.all -= 1;
        let Some(network) = self.network else {
            return;
        };
        let own = open.by_network.get(&network).copied().unwrap_or(0);
        if own > 1 {
            open.by_network.insert(network, own - 1);
        } else {
            open.by_network.remove(&network);
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
        assert!(streams.open().by_network.is_empty());
    }
}
