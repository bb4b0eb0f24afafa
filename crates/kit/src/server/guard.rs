//! What protects a server from its callers and from its own handlers: a bound on the calls at
//! once, the caller's deadline, and an answer in place of a panic.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    task::{Context, Poll},
};

use base::Sources;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use process::Reasons;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::{Admission, Code, Failure, TraceId, context};

const HEALTH_PREFIX: &str = "/grpc.health.";
const REFLECTION_PREFIX: &str = "/grpc.reflection.";

#[derive(Clone)]
pub(super) struct GuardLayer {
    pub(super) admission: Admission,
    pub(super) reasons: Reasons,
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService {
            inner,
            guard: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(super) struct GuardService<S> {
    inner: S,
    guard: GuardLayer,
}

impl<S> Service<Request<Body>> for GuardService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The instance that was polled ready serves; its clone waits for the next call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let guard = self.guard.clone();
        Box::pin(async move {
            let path = request.uri().path();
            if path.starts_with(HEALTH_PREFIX) {
                return Ok(guard.reasons.told(inner.call(request).await?));
            }
            if path.starts_with(REFLECTION_PREFIX) {
                return inner.call(request).await;
            }
            let answer = guard.run(async move { inner.call(request).await }).await;
            Ok(answer.unwrap_or_else(|failure| failure.into_status().into_http()))
        })
    }
}

impl GuardLayer {
    async fn run(
        &self,
        call: impl Future<Output = Result<Response<Body>, Infallible>>,
    ) -> Result<Response<Body>, Failure> {
        let _place = self.admission.enter().await?;
        let answer = AssertUnwindSafe(call).catch_unwind();
        let answer = match context::current().deadline {
            None => answer.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), answer)
                .await
                .map_err(|_| too_late())?,
        };
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => Err(panicked()),
        }
    }
}

/// The caller has left by now; the answer is for the trace.
fn too_late() -> Failure {
    let mut failure = Failure::outcome_unknown();
    failure.code = Code::DeadlineExceeded;
    failure
}

/// Where it was stands in the log already, the answer only names the incident. Its message is for nobody: it may hold
/// what the caller sent.
fn panicked() -> Failure {
    let incident = context::current()
        .trace
        .unwrap_or_else(|| TraceId::new(Sources::system().bytes()));
    let mut failure = Failure::internal("a handler panicked").with_fact("incident", &incident);
    // This line stands for the failure.
    failure.source = None;
    tracing::error!(%incident, "a handler panicked");
    failure
}
