use proto::common::{Certainty, ErrorReason};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use testkit::Patient;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

const READ: &str = "/boxoffice.ticket.v1.CatalogService/GetEvent";
const CHANGE: &str = "/boxoffice.ticket.v1.InventoryService/CommitOrder";

/// A member that refuses twice like this, and takes the third call.
#[derive(Clone)]
struct Member {
    calls: Arc<AtomicU32>,
    refusal: (ErrorReason, Certainty),
}

impl Service<Request<Body>> for Member {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        if self.calls.fetch_add(1, Ordering::SeqCst) >= 2 {
            return ready(Ok(Response::new(Body::empty())));
        }
        let (reason, certainty) = self.refusal;
        let facts = [("certainty".to_owned(), certainty.word().to_owned())];
        let details = ErrorDetails::with_error_info(reason.word(), "boxoffice", facts);
        let status = Status::with_error_details(Code::Unavailable, "Not now.", details);
        ready(Ok(status.into_http()))
    }
}

/// How often the member was called, and whether it took the call.
async fn call(path: &str, reason: ErrorReason, certainty: Certainty) -> (u32, bool) {
    let calls = Arc::<AtomicU32>::default();
    let mut channel = Patient(Member {
        calls: calls.clone(),
        refusal: (reason, certainty),
    });
    let request = Request::post(path).body(Body::empty()).unwrap();
    let answer = channel.call(request).await.unwrap();
    let taken = Status::from_header_map(answer.headers()).is_none();
    (calls.load(Ordering::SeqCst), taken)
}

#[tokio::test]
async fn it_comes_again_where_nothing_was_done_and_hears_every_other_answer() {
    use Certainty::{NotDone, Unknown};
    use ErrorReason::{OutcomeUnknown, Overloaded, SoldOut, Unavailable};
    for path in [READ, CHANGE] {
        assert_eq!(call(path, Overloaded, NotDone).await, (3, true));
        assert_eq!(call(path, Overloaded, Unknown).await, (1, false));
        assert_eq!(call(path, SoldOut, NotDone).await, (1, false));
        assert_eq!(call(path, Unavailable, NotDone).await, (1, false));
    }
    assert_eq!(call(READ, OutcomeUnknown, Unknown).await, (3, true));
    assert_eq!(call(CHANGE, OutcomeUnknown, Unknown).await, (1, false));
}
