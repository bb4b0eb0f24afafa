//! Second tries. They are made here and nowhere else, or a failure at the bottom would be tried
//! two times two times two; for requests that may be repeated, and only when it is certain that
//! the failed try did nothing.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use base::Sources;
use http::{HeaderMap, Method};

/// For all calls of one request together.
const RETRIES_MAX: u32 = 2;
/// Before the first and the second retry, give or take a half.
const PAUSES: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(240)];
/// A retry costs so much; a call earns as much of it as retries may add to the load, in percent.
const COST: u32 = 100;
/// What can be saved up: so many retries in a row, after a quiet time.
const BUDGET_MAX: u32 = 20 * COST;

tokio::task_local! {
    static LEFT: Arc<AtomicU32>;
}

/// Runs a request; its calls may be retried if the request may be repeated.
pub async fn within<F: Future>(repeatable: bool, request: F) -> F::Output {
    let left = if repeatable { RETRIES_MAX } else { 0 };
    LEFT.scope(Arc::new(AtomicU32::new(left)), request).await
}

/// Whoever sends it twice wants it once.
pub fn repeatable(method: &Method, headers: &HeaderMap) -> bool {
    method.is_safe() || headers.contains_key("idempotency-key")
}

/// The retries of the whole process.
pub struct Budget {
    saved: AtomicU32,
    /// What each call earns.
    percent: u32,
    sources: Sources,
}

impl Budget {
    /// So many retries per hundred calls; 0: none.
    pub fn new(sources: Sources, percent: u8) -> Arc<Self> {
        let saved = if percent == 0 { 0 } else { BUDGET_MAX };
        Arc::new(Self {
            saved: AtomicU32::new(saved),
            percent: percent.into(),
            sources,
        })
    }

    pub fn earn(&self) {
        let more = |saved: u32| (saved < BUDGET_MAX).then_some(saved + self.percent);
        // Refused when full, which is as good.
        let _ = self
            .saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    fn spend(&self) -> bool {
        let less = |saved: u32| saved.checked_sub(COST);
        self.saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    /// How long to wait before the next try of this request at this member; none if there is none.
    pub fn next(&self, member: &'static str) -> Option<Duration> {
        let one_less = |left: u32| left.checked_sub(1);
        let take = |left: &Arc<AtomicU32>| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .ok()
        };
        let left = LEFT.try_with(take).ok().flatten()?;
        let pause = PAUSES[usize::from(left < RETRIES_MAX)];
        let [dice] = self.sources.bytes::<1>();
        let wait = pause / 2 + pause * u32::from(dice) / 256;
        let in_time = kit::current().budget(wait + pause) > wait;
        if !in_time {
            return None;
        }
        let spent = self.spend();
        let outcome = if spent { "made" } else { "over_budget" };
        metrics::counter!("upstream_retries_total", "member" => member, "outcome" => outcome)
            .increment(1);
        spent.then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn retries_are_few_and_must_be_earned() {
        let (sources, _clock) = Sources::for_tests(1);
        let budget = Budget::new(sources, 10);
        let next = || budget.next("ticket-svc");
        assert_eq!(next(), None, "outside a request");
        within(false, async { assert_eq!(next(), None) }).await;
        within(true, async {
            let (first, second) = (next().unwrap(), next().unwrap());
            assert!(
                first >= PAUSES[0] / 2 && first < PAUSES[0] * 3 / 2,
                "{first:?}"
            );
            assert!(
                second >= PAUSES[1] / 2 && second < PAUSES[1] * 3 / 2,
                "{second:?}"
            );
            assert_eq!(next(), None);
        })
        .await;
        for _ in 0..10 {
            within(true, async { (next(), next()) }).await;
        }
        within(true, async { assert_eq!(next(), None, "all spent") }).await;
        for _ in 0..10 {
            budget.earn();
        }
        within(true, async { assert!(next().is_some()) }).await;
    }

    #[tokio::test]
    async fn retries_can_be_switched_off() {
        let (sources, _clock) = Sources::for_tests(1);
        let budget = Budget::new(sources, 0);
        for _ in 0..100 {
            budget.earn();
        }
        within(true, async { assert_eq!(budget.next("ticket-svc"), None) }).await;
    }
}
