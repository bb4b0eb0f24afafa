//! Answers of many messages: the deadline bounds how long they take to begin, not how long they last.

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{
    StreamExt as _,
    future::{Ready, ready},
    stream,
};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use kit::{Bind, CallContext, MeshKey, ServerBuilder, Shutdown, Tasks, client, with_context};
use proto::{
    Peer,
    payment::{ExportOrdersRequest, order_admin_service_client::OrderAdminServiceClient},
};
use tokio::task::JoinHandle;
use tonic::{Request, Streaming, body::Body, server::NamedService};
use tower::Service;

use crate::member::{GOOD_TOKEN, OneToken, PATIENCE};

const MESSAGES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);
/// Over long before the stream is.
const DEADLINE: Duration = Duration::from_millis(1_500);

/// Answers every call with empty messages, one at a time.
#[derive(Clone)]
struct Slowly;

impl NamedService for Slowly {
    const NAME: &'static str = "boxoffice.payment.v1.OrderAdminService";
}

impl Service<http::Request<Body>> for Slowly {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let messages = stream::iter(0..MESSAGES).then(|_| async {
            // Sleeps: the messages come as slowly as the test wants.
            tokio::time::sleep(PAUSE).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[0; 5])))
        });
        let mut end = http::HeaderMap::new();
        end.insert("grpc-status", http::HeaderValue::from_static("0"));
        let frames = messages.chain(stream::iter([Ok(Frame::trailers(end))]));
        let answer = http::Response::builder()
            .header("content-type", "application/grpc")
            .body(Body::new(StreamBody::new(frames)));
        ready(Ok(answer.unwrap()))
    }
}

type Serving = JoinHandle<anyhow::Result<()>>;

async fn begin() -> (
    Streaming<proto::payment::ExportOrdersResponse>,
    Shutdown,
    Serving,
) {
    let mesh: MeshKey = testkit::keys::mesh_key().parse().unwrap();
    let (bind, addr) = Bind::loopback().await.unwrap();
    let server = ServerBuilder::new(Peer::Payment, bind, mesh.clone(), Tasks::new())
        .await
        .unwrap()
        .verify_tokens(std::sync::Arc::new(OneToken))
        .add_service(Slowly)
        .build()
        .await
        .unwrap();
    let shutdown = Shutdown::new();
    let serving = tokio::spawn(server.serve(shutdown.clone()));
    let channel = client::channel(&format!("http://{addr}"), mesh.identity(Peer::Gateway)).unwrap();
    let mut request = Request::new(ExportOrdersRequest::default());
    let token = format!("Bearer {GOOD_TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    let context = CallContext {
        deadline: Some(Instant::now() + DEADLINE),
        ..CallContext::default()
    };
    let mut admin = OrderAdminServiceClient::new(channel);
    let answer = with_context(context, admin.export_orders(request)).await;
    (answer.unwrap().into_inner(), shutdown, serving)
}

async fn read(mut stream: Streaming<proto::payment::ExportOrdersResponse>) -> u32 {
    let mut messages = 0;
    while stream.message().await.unwrap().is_some() {
        messages += 1;
    }
    messages
}

#[tokio::test]
async fn a_stream_outlives_the_deadline_of_its_call() {
    let begun = Instant::now();
    let (stream, shutdown, serving) = begin().await;
    assert_eq!(read(stream).await, MESSAGES);
    assert!(begun.elapsed() > DEADLINE * 2, "{:?}", begun.elapsed());
    shutdown.begin();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_waits_for_a_stream_that_ends_in_time() {
    let (mut stream, shutdown, serving) = begin().await;
    assert!(stream.message().await.unwrap().is_some());
    shutdown.begin();
    assert_eq!(read(stream).await, MESSAGES - 1);
    let ended = tokio::time::timeout(PATIENCE, serving).await;
    ended.expect("it stops").unwrap().unwrap();
}
