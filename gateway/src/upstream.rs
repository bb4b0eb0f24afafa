//! The way to a service: with second tries, and without calls to one that does not answer.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use kit::client::{MeshChannel, surely_not_done};
use tonic::{body::Body, codegen::StdError};
use tower::{Service, ServiceExt as _};

use crate::{breaker::Breaker, retries::Budget};

/// A member's connections.
#[derive(Clone)]
pub struct Upstream {
    pub member: &'static str,
    pub channel: MeshChannel,
    pub budget: Arc<Budget>,
    /// None where the question is how it is.
    pub breaker: Option<Arc<Breaker>>,
}

impl Upstream {
    /// Asks it whatever became of other calls.
    pub fn in_any_case(&self) -> Self {
        Self {
            breaker: None,
            ..self.clone()
        }
    }
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
        let (budget, breaker, member) = (self.budget.clone(), self.breaker.clone(), self.member);
        Box::pin(async move {
            budget.earn();
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            loop {
                let attempt = match breaker.as_ref().map(Breaker::admit).transpose() {
                    Ok(attempt) => attempt,
                    Err(refusal) => return Ok(refusal.into_status().into_http()),
                };
                let copy = Body::new(Full::new(body.clone()));
                let answer = channel.call(Request::from_parts(head.clone(), copy)).await;
                let answer = answer.map(|answer| answer.map(Body::new));
                if let Some(attempt) = attempt {
                    attempt.ended(&answer);
                }
                let again = if surely_not_done(&answer) {
                    budget.next(member)
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
