//! The life of one connection.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use crate::{
    BoxError, Limits, Protocol, RemoteAddr, RequestBody, Tls,
    activity::{Activity, Watched},
    bodies::Answer,
    tls,
};

/// Of one connection, shared by all its calls: a small window lets one slow reader stall the rest.
const CONNECTION_WINDOW_BYTES: u32 = 64 * 1024 * 1024;
/// More calls at once wait on the client's side.
const STREAMS_MAX: u32 = 2048;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const HTTP1_BUFFER_MAX_BYTES: usize = 64 * 1024;

pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Arc<dyn Tls>>,
    /// Asks to finish.
    pub(crate) drain: CancellationToken,
    /// Closes at once.
    pub(crate) hard_stop: CancellationToken,
}

/// A connection that was just accepted.
pub(crate) struct Opened<IO = TcpStream> {
    pub(crate) stream: IO,
    pub(crate) remote: RemoteAddr,
    /// What its certificate says of the peer, for each of its requests.
    pub(crate) known: Option<Extensions>,
    /// Counts the connections of a listener.
    pub(crate) number: u64,
}

/// A peer that left without a word, as a phone that sleeps does, acknowledges nothing. Whoever only
/// listens sends nothing either, so the kernel has to find out.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

#[cfg(target_os = "linux")]
fn give_up_on_the_silent(stream: &TcpStream) {
    drop(socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX)));
}

/// Elsewhere there is no such option; the peer is found out by the kernel's own patience.
#[cfg(not(target_os = "linux"))]
fn give_up_on_the_silent(_: &TcpStream) {}

/// Serves one connection until it ends, has used up its time, or is stopped.
pub(crate) async fn run<S, B>(opened: Opened, service: S, rules: &Rules)
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    // Without it small answers wait for the peer's acknowledgement. A socket that refuses is gone.
    drop(opened.stream.set_nodelay(true));
    give_up_on_the_silent(&opened.stream);
    match &rules.tls {
        None => serve(opened, service, rules).await,
        Some(tls) => {
            if let Some(opened) = tls::shake_hands(opened, tls.as_ref(), rules).await {
                // Larger than a plain one by all that TLS remembers.
                Box::pin(serve(opened, service, rules)).await;
            }
        }
    }
}

async fn serve<IO, S, B>(opened: Opened<IO>, service: S, rules: &Rules)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let Opened {
        stream,
        remote,
        known,
        number,
    } = opened;
    let limits = &rules.limits;
    let activity = Arc::new(Activity::new(limits.protocol));
    let io = TokioIo::new(Watched::new(stream, activity.clone()));
    let body_timeout = (limits.protocol == Protocol::Http1).then_some(limits.body_timeout);
    let watch = activity.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = watch.begin();
        let mut request = request.map(|body| RequestBody::new(body, body_timeout));
        request.extensions_mut().insert(remote);
        if let Some(known) = &known {
            request.extensions_mut().extend(known.clone());
        }
        let answer = service.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answer.await?.map(|body| Answer::new(body, busy))) }
    });
    let builder = builder(limits);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut end_is_due = pin!(end_is_due(rules, number));
    let mut leaving_since = None;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection failed");
                }
                return;
            }
            () = rules.hard_stop.cancelled() => return,
            () = activity.expired(limits, leaving_since) => {
                tracing::debug!("connection used up its time");
                return;
            }
            () = end_is_due.as_mut(), if leaving_since.is_none() => {
                leaving_since = Some(Instant::now());
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The drain has begun, or the connection is old.
async fn end_is_due(rules: &Rules, number: u64) {
    match rules.limits.age_of(number) {
        None => rules.drain.cancelled().await,
        // Either outcome is the same: it is due.
        Some(age) => drop(tokio::time::timeout(age, rules.drain.cancelled()).await),
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    match limits.protocol {
        Protocol::Http1 => {
            // Our own timers tell an idle connection from a slow one; the library's do not.
            builder
                .http1()
                .header_read_timeout(None)
                .max_buf_size(HTTP1_BUFFER_MAX_BYTES);
            builder.http1_only()
        }
        Protocol::Http2 => {
            builder
                .http2()
                .timer(TokioTimer::new())
                .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .max_concurrent_streams(STREAMS_MAX)
                .keep_alive_interval(KEEP_ALIVE_INTERVAL)
                .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
                .max_pending_accept_reset_streams(limits.reset_streams_max)
                .max_local_error_reset_streams(limits.reset_streams_max);
            builder.http2_only()
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use http_body_util::Full;
    use socket2::SockRef;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_peer_that_acknowledges_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = TcpStream::connect(address).await.unwrap();
        let (stream, remote) = listener.accept().await.unwrap();
        let stream = stream.into_std().unwrap();
        let same_socket = stream.try_clone().unwrap();
        let rules = Rules {
            limits: Limits::edge(),
            tls: None,
            drain: CancellationToken::new(),
            hard_stop: CancellationToken::new(),
        };
        let opened = Opened {
            stream: TcpStream::from_std(stream).unwrap(),
            remote: RemoteAddr(remote),
            known: None,
            number: 0,
        };
        let service = tower::service_fn(async |_: Request<RequestBody>| {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        });
        // It ends as soon as the peer has left.
        drop(peer);
        run(opened, service, &rules).await;
        let patience = SockRef::from(&same_socket).tcp_user_timeout().unwrap();
        assert_eq!(patience, Some(Duration::from_secs(30)));
    }
}
