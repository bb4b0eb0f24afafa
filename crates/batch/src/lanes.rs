//! Queues that close with their service.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher as _},
    sync::{Arc, PoisonError, RwLock},
};

use crate::{Batcher, Refused};

/// Batchers that are open until they are closed together. None is open at first. Clones share them.
#[derive(Debug)]
pub struct Lanes<T, R>(Arc<RwLock<Vec<Batcher<T, R>>>>);

impl<T, R> Default for Lanes<T, R> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T, R> Clone for Lanes<T, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, R> Lanes<T, R> {
    /// One more lane. All are to be opened before the first item comes: which lane is whose depends on their number.
    pub fn open(&self, lane: Batcher<T, R>) {
        let mut lanes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        lanes.push(lane);
    }

    /// They take nothing more, and their workers end when what waits is worked off.
    pub fn close(&self) {
        let mut lanes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        lanes.clear();
    }

    /// As `Batcher::submit`, in the lane of this key: items of one key are in one lane. `Ended` where none is open.
    pub async fn submit_by<K: Hash>(&self, key: &K, item: T) -> Result<R, Refused> {
        let lane = self.lane(key).ok_or(Refused::Ended)?;
        lane.submit(item).await
    }

    /// As `Batcher::submit`, where there is one lane.
    pub async fn submit(&self, item: T) -> Result<R, Refused> {
        self.submit_by(&(), item).await
    }

    fn lane<K: Hash>(&self, key: &K) -> Option<Batcher<T, R>> {
        let lanes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let [only] = lanes.as_slice() {
            return Some(only.clone());
        }
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let count = u64::try_from(lanes.len()).ok().filter(|count| *count > 0)?;
        let lane = usize::try_from(hasher.finish() % count).ok()?;
        lanes.get(lane).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Duration};

    use super::*;
    use crate::{Limits, batcher};

    const LIMITS: Limits = Limits {
        name: "numbers",
        batch_max: 4,
        queue_max: 8,
        overtake_after: None,
    };

    #[expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]
    fn open(lanes: &Lanes<u32, usize>, name: usize) -> tokio::task::JoinHandle<()> {
        let (lane, worker) = batcher(LIMITS, move |items: Vec<u32>| async move {
            // Sleeps: work that takes a moment.
            tokio::time::sleep(Duration::from_millis(1)).await;
            items.iter().map(|_| name).collect()
        });
        lanes.open(lane);
        tokio::spawn(worker)
    }

    #[tokio::test]
    async fn what_has_one_key_goes_through_one_lane() {
        let lanes = Lanes::default();
        let workers: Vec<_> = (0..3).map(|name| open(&lanes, name)).collect();
        let mut used = HashSet::new();
        for key in 0..30_u32 {
            let lane = lanes.submit_by(&key, key).await.unwrap();
            assert_eq!(lanes.submit_by(&key, 99).await, Ok(lane));
            used.insert(lane);
        }
        assert_eq!(used.len(), 3);
        drop(lanes);
        for worker in workers {
            worker.await.unwrap();
        }
    }

    #[tokio::test]
    async fn closed_lanes_take_nothing_and_work_off_what_waits() {
        let lanes = Lanes::default();
        assert_eq!(lanes.submit(1).await, Err(Refused::Ended));
        let worker = open(&lanes, 0);
        let waits = lanes.submit(1);
        let closed = async {
            lanes.close();
            lanes.submit(2).await
        };
        assert_eq!(tokio::join!(waits, closed), (Ok(0), Err(Refused::Ended)));
        worker.await.unwrap();
    }
}
