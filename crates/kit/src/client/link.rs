//! Several connections to one member, used in turn.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tonic::{body::Body, transport::Channel};
use tower::{Service, ServiceExt as _};

use super::unsent::never_left_here;

/// A connection that breaks takes only its share of the calls with it.
const CONNECTIONS: usize = 2;
/// How often a call may meet a connection that closes before it takes it.
const SENDS_MAX: usize = CONNECTIONS + 1;

type BoxError = Box<dyn Error + Send + Sync>;

/// What carries calls to one member.
pub struct Link {
    picked: Channel,
    pool: Arc<Pool>,
}

struct Pool {
    channels: Vec<Channel>,
    turn: AtomicUsize,
}

impl Link {
    pub(super) fn new(connect: impl Fn() -> Channel) -> Self {
        let channels = (0..CONNECTIONS).map(|_| connect()).collect();
        Self::of(Arc::new(Pool {
            channels,
            turn: AtomicUsize::new(0),
        }))
    }

    fn of(pool: Arc<Pool>) -> Self {
        Self {
            picked: pool.next(),
            pool,
        }
    }
}

impl Pool {
    fn next(&self) -> Channel {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.channels[turn % self.channels.len()].clone()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Clone for Link {
    fn clone(&self) -> Self {
        Self::of(self.pool.clone())
    }
}

impl Service<Request<Body>> for Link {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.picked.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The channel that was polled ready carries this call, the next one the next call.
        let picked = std::mem::replace(&mut self.picked, self.pool.next());
        let mutates = proto::policy(request.uri().path()).is_some_and(|policy| policy.mutates);
        let call = send(picked, self.pool.clone(), request);
        if !mutates {
            return Box::pin(call);
        }
        // A caller that leaves must not stop a change half way, nor reset its stream: many resets
        // at once close the connection for everybody. The call ends with its deadline.
        #[expect(
            clippy::disallowed_methods,
            reason = "a caller waits for it, and it ends with its deadline"
        )]
        let call = tokio::spawn(call);
        Box::pin(async move { call.await? })
    }
}

/// Sends the call, and again on the next connection if the one it was given to closed before it
/// took it: that happens whenever a server ends a connection for its age, or itself. (gRPC calls
/// this a transparent retry; nothing has left, so any method may do it.) Calls have one message.
async fn send(
    mut channel: Channel,
    pool: Arc<Pool>,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    for _ in 1..SENDS_MAX {
        let request = Request::from_parts(head.clone(), Body::new(Full::new(body.clone())));
        match channel.call(request).await {
            Err(error) if never_left_here(&error) => {
                channel = pool.next();
                channel.ready().await?;
            }
            outcome => return Ok(outcome?),
        }
    }
    Ok(channel
        .call(Request::from_parts(head, Body::new(Full::new(body))))
        .await?)
}
