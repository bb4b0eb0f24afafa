//! Second tries. They are made here and nowhere else, or a failure at the bottom would be tried
//! two times two times two; for requests that may be repeated, and only when it is certain that
//! the failed try did nothing.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use base::Sources;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use kit::client::{MeshChannel, surely_not_done};
use tonic::{body::Body, codegen::StdError};
use tower::{Service, ServiceExt as _};

/// For all calls of one request together.
const RETRIES_MAX: u32 = 2;
/// Before the first and the second retry, give or take a half.
const PAUSES: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(240)];
/// So many calls earn one retry, so that retries add a tenth to the load at most.
const CALLS_PER_RETRY: u32 = 10;
/// What can be saved up: so many retries in a row, after a quiet time.
const BUDGET_MAX: u32 = 20 * CALLS_PER_RETRY;

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
    sources: Sources,
}

impl Budget {
    pub fn new(sources: Sources) -> Arc<Self> {
        Arc::new(Self {
            saved: AtomicU32::new(BUDGET_MAX),
            sources,
        })
    }

    fn earn(&self) {
        let more = |saved: u32| (saved < BUDGET_MAX).then_some(saved + 1);
        // Refused when full, which is as good.
        let _ = self
            .saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    fn spend(&self) -> bool {
        let less = |saved: u32| saved.checked_sub(CALLS_PER_RETRY);
        self.saved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }

    /// How long to wait before the next try of this request; none if there is none.
    fn next(&self) -> Option<Duration> {
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
        (in_time && self.spend()).then_some(wait)
    }
}

/// A member's connections, with retries.
#[derive(Clone)]
pub struct Upstream {
    pub channel: MeshChannel,
    pub budget: Arc<Budget>,
}

impl Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = StdError;
    type Future = BoxFuture<'static, Result<Self::Response, StdError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        Service::<Request<Body>>::poll_ready(&mut self.channel, cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The instance that was polled ready carries the call.
        let clone = self.channel.clone();
        let mut channel = std::mem::replace(&mut self.channel, clone);
        let budget = self.budget.clone();
        Box::pin(async move {
            budget.earn();
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            loop {
                let copy = Body::new(Full::new(body.clone()));
                let answer = channel.call(Request::from_parts(head.clone(), copy)).await;
                let answer = answer.map(|answer| answer.map(Body::new));
                let again = if surely_not_done(&answer) {
                    budget.next()
                } else {
                    None
                };
                let Some(wait) = again else { return answer };
                tokio::time::sleep(wait).await;
                channel.ready().await?;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn retries_are_few_and_must_be_earned() {
        let (sources, _clock) = Sources::for_tests(1);
        let budget = Budget::new(sources);
        assert_eq!(budget.next(), None, "outside a request");
        within(false, async { assert_eq!(budget.next(), None) }).await;
        within(true, async {
            let (first, second) = (budget.next().unwrap(), budget.next().unwrap());
            assert!(
                first >= PAUSES[0] / 2 && first < PAUSES[0] * 3 / 2,
                "{first:?}"
            );
            assert!(
                second >= PAUSES[1] / 2 && second < PAUSES[1] * 3 / 2,
                "{second:?}"
            );
            assert_eq!(budget.next(), None);
        })
        .await;
        for _ in 0..10 {
            within(true, async { (budget.next(), budget.next()) }).await;
        }
        within(true, async { assert_eq!(budget.next(), None, "all spent") }).await;
        for _ in 0..CALLS_PER_RETRY {
            budget.earn();
        }
        within(true, async { assert!(budget.next().is_some()) }).await;
    }
}
