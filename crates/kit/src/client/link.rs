//! Connections to all replicas of one member, used in turn.

use std::{
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use replicas::{CONNECTIONS, Picked, Replicas};
use tonic::body::Body;
use tower::{Service, ServiceExt as _};

use super::unsent::{never_left_here, not_reached};

type BoxError = Box<dyn Error + Send + Sync>;

/// What carries calls to one member.
pub struct Link {
    /// Whose turn the next call is, once that has begun to get ready: a clone that makes no call takes nobody's turn.
    picked: Option<Picked>,
    replicas: Arc<Replicas>,
}

impl Link {
    pub(super) fn new(replicas: Replicas) -> Self {
        Self::of(Arc::new(replicas))
    }

    fn of(replicas: Arc<Replicas>) -> Self {
        Self {
            picked: None,
            replicas,
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Clone for Link {
    fn clone(&self) -> Self {
        Self::of(self.replicas.clone())
    }
}

impl Service<Request<Body>> for Link {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let replicas = &self.replicas;
        let picked = self.picked.get_or_insert_with(|| replicas.next());
        picked.channel.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.replicas.refresh();
        let picked = self.picked.take();
        let picked = picked.unwrap_or_else(|| self.replicas.next());
        let mutates = proto::policy(request.uri().path()).is_some_and(|policy| policy.mutates);
        let call = send(picked, self.replicas.clone(), request);
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

/// Sends the call, and again on the next connection if nothing of it has left: the one it was given to
/// closed before it took it, as happens whenever a server ends a connection for its age, or itself;
/// or the replica was not reached, and there is another. (gRPC calls this a transparent retry; any
/// method may do it.) Calls have one message.
async fn send(
    mut picked: Picked,
    replicas: Arc<Replicas>,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    // Each replica may be gone, and each connection of the last one may close.
    for _ in 0..replicas.count() + CONNECTIONS {
        let request = Request::from_parts(head.clone(), Body::new(Full::new(body.clone())));
        let error = match picked.channel.call(request).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let elsewhere = not_reached(&error) && replicas.rest(&picked.replica);
        if !elsewhere && !never_left_here(&error) {
            return Err(error.into());
        }
        picked = replicas.next();
        picked.channel.ready().await?;
    }
    let request = Request::from_parts(head, Body::new(Full::new(body)));
    Ok(picked.channel.call(request).await?)
}
