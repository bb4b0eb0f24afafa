use http_body_util::{BodyExt as _, Full};
use proto::common::{Certainty, ErrorReason};
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{BoxFuture, Service};
use tonic_types::StatusExt as _;

/// As long as nobody's work takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// A channel of a caller who is told to come again and does, as the real callers of a member do: the answer that there
/// was no room just now is a promise of the system, and no news of what the test is about. Repeated are calls that did
/// nothing, and calls that only read. Every other answer is the test's own. For a test about overload, take the channel
/// within.
#[derive(Clone, Debug)]
pub struct Patient<S>(pub S);

impl<S, B> Service<Request<Body>> for Patient<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    B: Send,
    S::Error: Send,
    S::Future: Send,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = BoxFuture<Response<B>, S::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut channel = self.0.clone();
        Box::pin(async move {
            let begun = Instant::now();
            let path = request.uri().path().to_owned();
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("a call's one message");
            let body = body.to_bytes();
            loop {
                let body = Body::new(Full::new(body.clone()));
                poll_fn(|cx| channel.poll_ready(cx)).await?;
                let answer = channel
                    .call(Request::from_parts(head.clone(), body))
                    .await?;
                if begun.elapsed() > PATIENCE || !comes_again(&path, &answer) {
                    return Ok(answer);
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
    }
}

/// Whether the caller is asked to come again, and may.
fn comes_again<B>(path: &str, answer: &Response<B>) -> bool {
    let Some(status) = Status::from_header_map(answer.headers()) else {
        return false;
    };
    let Some(info) = status.get_details_error_info() else {
        return false;
    };
    let certainty = info.metadata.get("certainty").map(String::as_str);
    match ErrorReason::from_word(&info.reason) {
        Some(ErrorReason::Overloaded) => certainty == Some(Certainty::NotDone.word()),
        Some(ErrorReason::OutcomeUnknown) => {
            proto::policy(path).is_some_and(|policy| !policy.mutates)
        }
        _ => false,
    }
}
