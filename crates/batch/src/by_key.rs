//! Batches of one key each, several at work at the same time.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    hash::Hash,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::mpsc;

use crate::{Batcher, Limits, Waiting, answer};

/// Like `batcher`, with batches of one key each. Those of one key follow one another, those of different keys do not
/// wait for each other, unless `at_work_max` are at work. `work` hears which place of that many its batch has, which
/// nobody else has meanwhile. Once `queue_max` wait by their keys, as many more may wait to be sorted.
pub fn batcher_by_key<K, T, R, W, F>(
    limits: Limits,
    at_work_max: usize,
    key: fn(&T) -> K,
    work: W,
) -> (Batcher<T, R>, impl Future<Output = ()> + Send)
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Send + 'static,
    R: Send + 'static,
    W: Fn(usize, Vec<T>) -> F + Send + Sync + 'static,
    F: Future<Output = Vec<R>> + Send,
{
    let room = limits.queue_max.max(1);
    let (queue, waiting) = mpsc::channel(room);
    let sorted = Sorted {
        room,
        batch_max: limits.batch_max.max(1),
        by_key: HashMap::new(),
        turns: VecDeque::new(),
        places: (0..at_work_max.max(1)).rev().collect(),
        sizes: crate::sizes(limits.name),
    };
    let worker = empty(waiting, sorted, key, work);
    (Batcher { queue }, worker)
}

/// What waits, by its key. A key stands here while it has something waiting or at work.
struct Sorted<K, T, R> {
    room: usize,
    batch_max: usize,
    by_key: HashMap<K, VecDeque<Waiting<T, R>>>,
    /// The keys that something waits for and that nothing is at work for, in the order of arrival.
    turns: VecDeque<K>,
    places: Vec<usize>,
    sizes: metrics::Histogram,
}

/// To be given back by `ended`.
struct Begun<K> {
    key: K,
    place: usize,
}

type Batch<K, T, R> = (Begun<K>, Vec<Waiting<T, R>>);

impl<K: Clone + Eq + Hash, T, R> Sorted<K, T, R> {
    fn sort_in(&mut self, key: K, one: Waiting<T, R>) {
        self.room = self.room.saturating_sub(1);
        if let Some(waiting) = self.by_key.get_mut(&key) {
            waiting.push_back(one);
        } else {
            self.turns.push_back(key.clone());
            self.by_key.insert(key, VecDeque::from([one]));
        }
    }

    /// The next batch, where one may begin.
    fn next(&mut self) -> Option<Batch<K, T, R>> {
        if self.turns.is_empty() {
            return None;
        }
        let place = self.places.pop()?;
        let key = self.turns.pop_front()?;
        let waiting = self.by_key.entry(key.clone()).or_default();
        let count = waiting.len().min(self.batch_max);
        let batch = waiting.drain(..count).collect();
        self.room += count;
        crate::record(&self.sizes, count);
        Some((Begun { key, place }, batch))
    }

    fn ended(&mut self, Begun { key, place }: Begun<K>) {
        self.places.push(place);
        let waits = self.by_key.get(&key).is_some_and(|all| !all.is_empty());
        if waits {
            self.turns.push_back(key);
        } else {
            self.by_key.remove(&key);
        }
    }
}

async fn empty<K, T, R, W, F>(
    mut queue: mpsc::Receiver<Waiting<T, R>>,
    mut sorted: Sorted<K, T, R>,
    key: fn(&T) -> K,
    work: W,
) where
    K: Clone + Eq + Hash,
    W: Fn(usize, Vec<T>) -> F,
    F: Future<Output = Vec<R>>,
{
    let mut arrived = Vec::new();
    let mut at_work = FuturesUnordered::new();
    let mut open = true;
    loop {
        while let Some((begun, batch)) = sorted.next() {
            let (place, work) = (begun.place, &work);
            at_work.push(async move {
                answer(batch, |items| work(place, items)).await;
                begun
            });
        }
        let room = sorted.room;
        tokio::select! {
            biased;
            Some(begun) = at_work.next() => sorted.ended(begun),
            count = queue.recv_many(&mut arrived, room), if open && room > 0 => {
                open = count > 0;
                for one in arrived.drain(..) {
                    sorted.sort_in(key(&one.item), one);
                }
            }
            // Nothing is at work, so nothing waits, and nothing comes any more.
            else => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use futures::future::join_all;
    use proptest::prelude::*;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::Refused;

    const LIMITS: Limits = Limits {
        name: "numbers",
        batch_max: 4,
        queue_max: 8,
        overtake_after: None,
    };
    type Seen = Arc<Mutex<Vec<(usize, Vec<u32>)>>>;

    /// Tens are keys. Those below 10 wait at the door.
    struct Doubler {
        batcher: Batcher<u32, u32>,
        door: Arc<Semaphore>,
        seen: Seen,
        worker: tokio::task::JoinHandle<()>,
    }

    #[expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]
    fn doubler(at_work_max: usize) -> Doubler {
        let (door, seen) = (Arc::new(Semaphore::new(0)), Seen::default());
        let (gate, book) = (door.clone(), seen.clone());
        let work = move |place: usize, items: Vec<u32>| {
            let (gate, book) = (gate.clone(), book.clone());
            async move {
                book.lock().unwrap().push((place, items.clone()));
                if items[0] < 10 {
                    gate.acquire().await.unwrap().forget();
                }
                items.iter().map(|item| item * 2).collect()
            }
        };
        let (batcher, worker) = batcher_by_key(LIMITS, at_work_max, |item: &u32| item / 10, work);
        Doubler {
            batcher,
            door,
            seen,
            worker: tokio::spawn(worker),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]
    fn submit(doubler: &Doubler, item: u32) -> tokio::task::JoinHandle<Result<u32, Refused>> {
        let batcher = doubler.batcher.clone();
        tokio::spawn(async move { batcher.submit(item).await })
    }

    async fn soon<F: Future>(promised: F) -> F::Output {
        let come = tokio::time::timeout(Duration::from_secs(60), promised).await;
        come.expect("it comes soon")
    }

    async fn idle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_another_key() {
        let doubler = doubler(2);
        let stuck: Vec<_> = [1, 2, 3].map(|item| submit(&doubler, item)).into();
        idle().await;
        for item in [11, 22, 12, 33] {
            assert_eq!(soon(submit(&doubler, item)).await.unwrap(), Ok(item * 2));
        }
        assert!(stuck.iter().all(|one| !one.is_finished()));
        doubler.door.add_permits(2);
        for one in stuck {
            assert!(soon(one).await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn those_of_one_key_follow_one_another_and_gather() {
        let doubler = doubler(3);
        let first = submit(&doubler, 1);
        idle().await;
        let rest: Vec<_> = (2..8).map(|item| submit(&doubler, item)).collect();
        idle().await;
        doubler.door.add_permits(3);
        assert_eq!(soon(first).await.unwrap(), Ok(2));
        for one in rest {
            assert!(soon(one).await.unwrap().is_ok());
        }
        let seen = doubler.seen.lock().unwrap();
        let batches: Vec<&[u32]> = seen.iter().map(|(_, items)| items.as_slice()).collect();
        assert_eq!(batches, [&[1][..], &[2, 3, 4, 5], &[6, 7]]);
    }

    #[tokio::test]
    async fn no_more_than_allowed_are_at_work_each_in_a_place_of_its_own() {
        let doubler = doubler(1);
        let stuck = submit(&doubler, 1);
        idle().await;
        let others: Vec<_> = [11, 21].map(|item| submit(&doubler, item)).into();
        idle().await;
        assert_eq!(doubler.seen.lock().unwrap().len(), 1);
        doubler.door.add_permits(1);
        assert_eq!(soon(stuck).await.unwrap(), Ok(2));
        for one in others {
            assert!(soon(one).await.unwrap().is_ok());
        }
        let seen = doubler.seen.lock().unwrap();
        assert!(seen.iter().all(|(place, _)| *place == 0));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_what_waits_is_worked_off_before_the_end() {
        let doubler = doubler(1);
        let at_work = submit(&doubler, 1);
        idle().await;
        let mut queued = Vec::new();
        for _ in 0..2 {
            queued.extend((0..8).map(|item| submit(&doubler, item)));
            idle().await;
        }
        let refused = soon(doubler.batcher.submit(11)).await;
        assert_eq!(refused, Err(Refused::Full));
        drop(doubler.batcher);
        doubler.door.add_permits(30);
        assert_eq!(soon(at_work).await.unwrap(), Ok(2));
        for one in queued {
            assert!(soon(one).await.unwrap().is_ok());
        }
        soon(doubler.worker).await.unwrap();
    }

    proptest! {
        /// However many come, of however many keys: each hears its own answer, and no place is given twice.
        #[test]
        fn everyone_gets_their_own(count in 1_usize..150, keys in 1_usize..9, places in 1_usize..5) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async move {
                let limits = Limits { queue_max: 400, ..LIMITS };
                let taken: Arc<Vec<Semaphore>> = Arc::new((0..places).map(|_| Semaphore::new(1)).collect());
                let items = |keys| move |item: usize| (item % keys, item);
                let (batcher, worker) = batcher_by_key(limits, places, |(key, _)| *key, move |place, all: Vec<(usize, usize)>| {
                    let taken = taken.clone();
                    async move {
                        let _alone = taken[place].try_acquire().unwrap();
                        assert!(all.iter().all(|(key, _)| *key == all[0].0));
                        tokio::task::yield_now().await;
                        all.into_iter().map(|(_, item)| item + 1).collect()
                    }
                });
                let all = join_all((0..count).map(items(keys)).map(|item| {
                    let batcher = batcher.clone();
                    async move { (item.1, batcher.submit(item).await) }
                }));
                drop(batcher);
                let (answers, ()) = soon(async { tokio::join!(all, worker) }).await;
                for (item, answer) in answers {
                    assert_eq!(answer, Ok(item + 1));
                }
            });
        }
    }
}
