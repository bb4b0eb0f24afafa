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
mod crowd;
mod limits;
mod refusal;
mod tls;

pub use bodies::RequestBody;
pub use limits::{Limits, Protocol};
pub use tls::Tls;

type BoxError = Box<dyn Error + Send + Sync>;

/// Who is at the other end of the connection; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteAddr(pub SocketAddr);

/// When the process has no room for a socket, more of them come no sooner than this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is listened on, in the clear or with TLS.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<dyn Tls>>,
}

impl Listener {
    /// Every connection begins with a handshake; those of strangers end with it.
    pub fn with_tls(tcp: TcpListener, tls: Arc<dyn Tls>) -> Self {
        let tls = Some(tls);
        Self { tcp, tls }
    }
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}

/// Serves until `drain` begins; then takes no more connections, asks the open ones to finish, and
/// after `Limits::drain_timeout` closes those that did not.
pub async fn serve<S, B>(
    listener: impl Into<Listener>,
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
    let Listener { tcp, tls } = listener.into();
    let room = Arc::new(Semaphore::new(limits.connections_max));
    let crowd = crowd::Crowd::new(limits.connections_per_address_max, limits.ipv6_network_bits);
    let refusals = refusal::Refusals::new(limits.protocol);
    let (connections, hard_stop) = (TaskTracker::new(), CancellationToken::new());
    let rules = Arc::new(connection::Rules {
        limits,
        tls,
        drain: drain.clone(),
        hard_stop,
    });
    for number in 0.. {
        let (stream, peer) = tokio::select! {
            biased;
            () = drain.cancelled() => break,
            accepted = accept(&tcp) => accepted,
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            tracing::warn!(%peer, max = rules.limits.connections_max, "too many connections");
            refusals.refuse(stream);
            continue;
        };
        let Some(member) = crowd.enter(peer.ip()) else {
            tracing::debug!(%peer, "too many connections from one address");
            refusals.refuse(stream);
            continue;
        };
        let (rules, service) = (rules.clone(), service.clone());
        connections.spawn(async move {
            let opened = connection::Opened {
                stream,
                remote: RemoteAddr(peer),
                known: None,
                number,
            };
            connection::run(opened, service, &rules).await;
            drop((place, member));
        });
    }
    // The port closes now: who comes later is refused by the kernel and goes elsewhere at once.
    drop(tcp);
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
