//! Accepts connections, gives each its time, and ends them all in time.

use std::{convert::Infallible, error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

mod activity;
mod bodies;
mod connection;
mod limits;
mod refusal;

pub use bodies::RequestBody;
pub use limits::{Limits, Protocol};

type BoxError = Box<dyn Error + Send + Sync>;

/// Who is at the other end of the connection; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteAddr(pub SocketAddr);

/// When the process has no room for a socket, more of them come no sooner than this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `drain` begins; then takes no more connections, asks the open ones to finish, and
/// after `Limits::drain_timeout` closes those that did not.
pub async fn serve<S, B>(
    listener: TcpListener,
    limits: Limits,
    service: S,
    drain: CancellationToken,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let room = Arc::new(Semaphore::new(limits.connections_max));
    let refusals = refusal::Refusals::new(limits.protocol);
    let (connections, hard_stop) = (TaskTracker::new(), CancellationToken::new());
    let rules = Arc::new(connection::Rules {
        limits,
        drain: drain.clone(),
        hard_stop,
    });
    for number in 0.. {
        let (stream, peer) = tokio::select! {
            biased;
            () = drain.cancelled() => break,
            accepted = accept(&listener) => accepted,
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            tracing::warn!(%peer, max = rules.limits.connections_max, "too many connections");
            refusals.refuse(stream);
            continue;
        };
        let (rules, service) = (rules.clone(), service.clone());
        connections.spawn(async move {
            let opened = connection::Opened {
                stream,
                remote: RemoteAddr(peer),
                number,
            };
            connection::run(opened, service, &rules).await;
            drop(place);
        });
    }
    // The port closes now: who comes later is refused by the kernel and goes elsewhere at once.
    drop(listener);
    connections.close();
    if tokio::time::timeout(rules.limits.drain_timeout, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            open = connections.len(),
            "connections did not end in time and are closed"
        );
        rules.hard_stop.cancel();
        connections.wait().await;
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if concerns_the_peer(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// It was gone before it was accepted.
fn concerns_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused
    )
}
