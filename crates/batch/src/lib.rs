//! Natural batching of concurrent requests. See the README for what it promises.

mod by_key;
mod lanes;

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::Instant,
};

pub use by_key::batcher_by_key;
pub use lanes::Lanes;

/// However slow they are, no more batches are at work: enough for all that begin within the patience of
/// whoever waits, if one of two callees hangs.
const AT_WORK_MAX: usize = 1_024;

/// Bounds of one queue.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// As figures name it.
    pub name: &'static str,
    /// Requests of one batch at most.
    pub batch_max: usize,
    /// Requests that may wait while a batch is at work.
    pub queue_max: usize,
    /// A batch that takes longer no longer holds up the next one. None: one after the other.
    pub overtake_after: Option<Duration>,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing was done: too many wait already.
    #[error("the queue is full")]
    Full,
    /// Nothing was done: the worker has ended.
    #[error("the worker has ended")]
    Ended,
    /// The batch broke in the middle. Whether the item's work was done is not known.
    #[error("the batch was lost")]
    Lost,
}

struct Waiting<T, R> {
    item: T,
    answer: oneshot::Sender<R>,
}

/// Puts items into the queue. Clones share one queue.
#[derive(Debug)]
pub struct Batcher<T, R> {
    queue: mpsc::Sender<Waiting<T, R>>,
}

impl<T, R> Clone for Batcher<T, R> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
        }
    }
}

/// A queue, and the worker that empties it: a future for the caller to spawn. `work` gets a batch in the order of
/// arrival and answers as many results in the same order.
pub fn batcher<T, R, W, F>(
    limits: Limits,
    work: W,
) -> (Batcher<T, R>, impl Future<Output = ()> + Send)
where
    T: Send + 'static,
    R: Send + 'static,
    W: Fn(Vec<T>) -> F + Send + Sync + 'static,
    F: Future<Output = Vec<R>> + Send,
{
    let (queue, waiting) = mpsc::channel(limits.queue_max.max(1));
    let worker = empty(waiting, limits, work);
    (Batcher { queue }, worker)
}

impl<T, R> Batcher<T, R> {
    /// The answer to this item. Dropping the future before the item's turn takes the item back.
    pub async fn submit(&self, item: T) -> Result<R, Refused> {
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(Waiting { item, answer }) {
            Ok(()) => answered.await.map_err(|_dropped| Refused::Lost),
            Err(TrySendError::Full(_)) => Err(Refused::Full),
            Err(TrySendError::Closed(_)) => Err(Refused::Ended),
        }
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

async fn empty<T, R, W, F>(mut queue: mpsc::Receiver<Waiting<T, R>>, limits: Limits, work: W)
where
    W: Fn(Vec<T>) -> F,
    F: Future<Output = Vec<R>>,
{
    let batch_max = limits.batch_max.max(1);
    let sizes = sizes(limits.name);
    let mut arrived = Vec::with_capacity(batch_max);
    let mut at_work = FuturesUnordered::new();
    // When the youngest batch counts as late.
    let mut late_at = Instant::now();
    loop {
        let idle = at_work.is_empty();
        let late = limits.overtake_after.is_some() && Instant::now() >= late_at;
        let may_begin = idle || (late && at_work.len() < AT_WORK_MAX);
        let may_get_late = !may_begin && limits.overtake_after.is_some();
        tokio::select! {
            biased;
            Some(()) = at_work.next() => {}
            count = queue.recv_many(&mut arrived, batch_max), if may_begin => {
                if count == 0 {
                    break;
                }
                late_at = Instant::now() + limits.overtake_after.unwrap_or_default();
                record(&sizes, count);
                let batch = std::mem::replace(&mut arrived, Vec::with_capacity(batch_max));
                at_work.push(answer(batch, &work));
            }
            () = tokio::time::sleep_until(late_at), if may_get_late && !late => {}
        }
    }
    while at_work.next().await.is_some() {}
}

fn sizes(batch: &'static str) -> metrics::Histogram {
    metrics::histogram!("batch_items", "batch" => batch)
}

fn record(sizes: &metrics::Histogram, count: usize) {
    // Not more than fits into a float.
    sizes.record(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}

async fn answer<T, R, F>(arrived: Vec<Waiting<T, R>>, work: impl Fn(Vec<T>) -> F)
where
    F: Future<Output = Vec<R>>,
{
    let stay = arrived.into_iter().filter(|one| !one.answer.is_closed());
    let (items, callers): (Vec<T>, Vec<oneshot::Sender<R>>) =
        stay.map(|one| (one.item, one.answer)).unzip();
    if items.is_empty() {
        return;
    }
    // A panic ends this batch, not the queue: its callers hear `Lost`, and so does the log by the panic hook.
    let Ok(answers) = AssertUnwindSafe(work(items)).catch_unwind().await else {
        tracing::error!(lost = callers.len(), "a batch panicked");
        return;
    };
    if answers.len() != callers.len() {
        let (asked, answered) = (callers.len(), answers.len());
        tracing::error!(asked, answered, "a batch was not answered one by one");
        return;
    }
    for (caller, answer) in callers.into_iter().zip(answers) {
        // Whoever left meanwhile misses only their own answer.
        drop(caller.send(answer));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::future::join_all;
    use proptest::prelude::*;
    use tokio::sync::Semaphore;

    use super::*;

    const LIMITS: Limits = Limits {
        name: "numbers",
        batch_max: 4,
        queue_max: 8,
        overtake_after: None,
    };

    /// Doubles numbers once it is let; the batches it saw are written down.
    struct Doubler {
        batcher: Batcher<u32, u32>,
        gate: Arc<Semaphore>,
        seen: Arc<Mutex<Vec<Vec<u32>>>>,
        worker: tokio::task::JoinHandle<()>,
    }

    fn doubler() -> Doubler {
        doubler_of(LIMITS)
    }

    #[expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]
    fn doubler_of(limits: Limits) -> Doubler {
        let (gate, seen) = (
            Arc::new(Semaphore::new(0)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let (door, book) = (gate.clone(), seen.clone());
        let (batcher, worker) = batcher(limits, move |items: Vec<u32>| {
            let (door, book) = (door.clone(), book.clone());
            async move {
                door.acquire().await.unwrap().forget();
                book.lock().unwrap().push(items.clone());
                assert!(!items.contains(&13), "unlucky");
                let mut answers: Vec<u32> = items.iter().map(|item| item * 2).collect();
                answers.truncate(if items.contains(&99) { 0 } else { items.len() });
                answers
            }
        });
        let worker = tokio::spawn(worker);
        Doubler {
            batcher,
            gate,
            seen,
            worker,
        }
    }

    /// A request in the queue or at work.
    #[expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]
    fn submit(doubler: &Doubler, item: u32) -> tokio::task::JoinHandle<Result<u32, Refused>> {
        let batcher = doubler.batcher.clone();
        tokio::spawn(async move { batcher.submit(item).await })
    }

    /// What is promised comes, or the test fails rather than hangs.
    async fn soon<F: Future>(promised: F) -> F::Output {
        let patience = Duration::from_secs(60);
        let come = tokio::time::timeout(patience, promised).await;
        come.expect("it comes soon")
    }

    async fn idle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_waits_goes_together_in_order_of_arrival() {
        let doubler = doubler();
        let first = submit(&doubler, 1);
        idle().await;
        let rest: Vec<_> = (2..8).map(|item| submit(&doubler, item)).collect();
        idle().await;
        assert_eq!(doubler.batcher.waiting(), 6);
        doubler.gate.add_permits(3);
        assert_eq!(soon(first).await.unwrap(), Ok(2));
        let answers = soon(join_all(rest)).await;
        let answers: Vec<u32> = answers.into_iter().map(|a| a.unwrap().unwrap()).collect();
        assert_eq!(answers, [4, 6, 8, 10, 12, 14]);
        let seen = doubler.seen.lock().unwrap().clone();
        assert_eq!(seen, [vec![1], vec![2, 3, 4, 5], vec![6, 7]]);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let doubler = doubler();
        let at_work = submit(&doubler, 1);
        idle().await;
        let queued: Vec<_> = (0..8).map(|item| submit(&doubler, item)).collect();
        idle().await;
        let refused = soon(doubler.batcher.submit(9)).await;
        assert_eq!(refused, Err(Refused::Full));
        doubler.gate.add_permits(10);
        assert_eq!(at_work.await.unwrap(), Ok(2));
        for one in queued {
            assert!(one.await.unwrap().is_ok());
        }
        assert_eq!(doubler.batcher.submit(9).await, Ok(18));
    }

    #[tokio::test]
    async fn who_left_before_their_turn_is_not_worked_on() {
        let doubler = doubler();
        let at_work = submit(&doubler, 1);
        idle().await;
        let (stays, leaves) = (submit(&doubler, 2), submit(&doubler, 3));
        idle().await;
        leaves.abort();
        // Whose work has begun may leave too.
        at_work.abort();
        idle().await;
        doubler.gate.add_permits(2);
        assert_eq!(stays.await.unwrap(), Ok(4));
        assert_eq!(*doubler.seen.lock().unwrap(), [vec![1], vec![2]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_late_no_longer_holds_up_the_next_one() {
        let patience = Duration::from_secs(1);
        let doubler = doubler_of(Limits {
            overtake_after: Some(patience),
            ..LIMITS
        });
        let begun = Instant::now();
        let mut asked = vec![submit(&doubler, 1)];
        idle().await;
        asked.extend([2, 3].map(|item| submit(&doubler, item)));
        idle().await;
        assert_eq!(doubler.batcher.waiting(), 2, "the first one is in time");
        while doubler.batcher.waiting() > 0 {
            // Sleeps: the time of the test passes.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(begun.elapsed() >= patience);
        // Both are at work; the door lets in whoever came first.
        doubler.gate.add_permits(2);
        for one in asked {
            assert!(soon(one).await.unwrap().is_ok());
        }
        let seen = doubler.seen.lock().unwrap().clone();
        assert_eq!(seen, [vec![1], vec![2, 3]]);
    }

    #[tokio::test]
    async fn a_broken_batch_is_lost_and_the_next_one_works() {
        let doubler = doubler();
        doubler.gate.add_permits(3);
        assert_eq!(doubler.batcher.submit(13).await, Err(Refused::Lost));
        assert_eq!(doubler.batcher.submit(99).await, Err(Refused::Lost));
        assert_eq!(doubler.batcher.submit(4).await, Ok(8));
    }

    /// Refuses odd numbers, and forgets or doubles the answer to some.
    async fn picky(items: Vec<u32>) -> Vec<Result<u32, &'static str>> {
        let answer = |item: u32| match item {
            item if item % 2 == 0 => Ok(item / 2),
            _ => Err("odd"),
        };
        let times = |item: u32| match item {
            66 => 0,
            88 => 2,
            _ => 1,
        };
        let answers = items
            .into_iter()
            .map(|item| vec![answer(item); times(item)]);
        answers.flatten().collect()
    }

    /// All of them in one batch.
    async fn together(items: &[u32]) -> Vec<Result<Result<u32, &'static str>, Refused>> {
        let (batcher, worker) = batcher(LIMITS, picky);
        let all = join_all(items.iter().map(|item| batcher.submit(*item)));
        tokio::select! {
            answers = all => answers,
            () = worker => panic!("the worker ended before its last batcher"),
        }
    }

    #[tokio::test]
    async fn a_refusal_is_for_its_own_request_alone() {
        let answers = together(&[2, 3, 4]).await;
        assert_eq!(answers, [Ok(Ok(1)), Ok(Err("odd")), Ok(Ok(2))]);
    }

    #[tokio::test]
    async fn nobody_hears_the_answer_to_anothers_item() {
        for forgotten_or_doubled in [66, 88] {
            let answers = together(&[2, forgotten_or_doubled, 4]).await;
            assert_eq!(answers, [Err(Refused::Lost); 3]);
        }
    }

    #[tokio::test]
    async fn a_request_alone_waits_for_nobody() {
        let doubler = doubler();
        doubler.gate.add_permits(1000);
        // A timer of a millisecond would take a thousand of them, each time.
        let mut times = Vec::new();
        while times
            .last()
            .is_none_or(|took| *took >= Duration::from_secs(1))
        {
            assert!(times.len() < 10, "{times:?}");
            let started = std::time::Instant::now();
            for item in 0..1000 {
                assert_eq!(doubler.batcher.submit(item % 10).await, Ok(item % 10 * 2));
            }
            times.push(started.elapsed());
        }
        let seen = doubler.seen.lock().unwrap();
        assert!(seen.iter().all(|batch| batch.len() == 1));
    }

    #[tokio::test]
    async fn after_the_end_nothing_is_taken() {
        let doubler = doubler();
        doubler.worker.abort();
        assert!(doubler.worker.await.unwrap_err().is_cancelled());
        assert_eq!(doubler.batcher.submit(1).await, Err(Refused::Ended));
    }

    #[tokio::test]
    async fn the_queue_is_worked_off_before_the_end() {
        let doubler = doubler();
        let waiting: Vec<_> = (0..6).map(|item| submit(&doubler, item)).collect();
        idle().await;
        drop(doubler.batcher);
        doubler.gate.add_permits(10);
        for one in waiting {
            assert!(one.await.unwrap().is_ok());
        }
        soon(doubler.worker).await.unwrap();
    }

    proptest! {
        /// However many come, and in whatever sizes they are taken: each hears its own answer.
        #[test]
        fn everyone_gets_their_own(count in 1_usize..200, batch_max in 1_usize..40) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async move {
                let limits = Limits { name: "numbers", batch_max, queue_max: 200, overtake_after: None };
                let (batcher, worker) = batcher(limits, |items: Vec<usize>| async move {
                    tokio::task::yield_now().await;
                    items.into_iter().map(|item| item + 1).collect()
                });
                let all = join_all((0..count).map(|item| {
                    let batcher = batcher.clone();
                    async move { (item, batcher.submit(item).await) }
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
