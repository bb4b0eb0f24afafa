//! Calls to other members: who we are, how long there is, and which trace it belongs to.

use std::time::Duration;

use http::{Uri, uri::Scheme};
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{
    context::{self, CLIENT_HEADER},
    mesh::{CREDENTIAL_HEADER, MeshIdentity, PEER_HEADER},
};

mod link;
mod unsent;

pub use link::Link;
use replicas::Replicas;
pub(crate) use unsent::never_left;
pub use unsent::surely_not_done;

/// A call may take this long where nothing smaller is set: as long as the longest, a purchase.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Of one connection, shared by all its calls: a small window lets one slow reader stall the rest.
const CONNECTION_WINDOW_BYTES: u32 = 64 * 1024 * 1024;
/// How many calls that were given up may be unknown to the other side yet, before the connection
/// counts as hostile. The default of the library is reached by an honest burst of impatience.
const RESET_STREAMS_MAX: usize = 100_000;

/// What a generated client is built on.
pub type MeshChannel = InterceptedService<Link, Credentials>;

/// Puts identity, deadline, trace and the client's address on every call.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// None where the connection proves it.
    identity: Option<MeshIdentity>,
}

/// Connections to the member at `urls`, made on first use, so that members start in any order. The
/// credential travels in the clear: for this machine. See [`crate::Member::channel`].
///
/// # Errors
/// If one of the addresses is none.
pub fn channel(urls: &str, identity: MeshIdentity) -> anyhow::Result<MeshChannel> {
    let identity = Some(identity);
    let replicas = Replicas::new(urls, |uri| endpoint(uri).connect_lazy())?;
    let credentials = Credentials { identity };
    Ok(InterceptedService::new(Link::new(replicas), credentials))
}

/// The same over connections that prove both ends.
pub(crate) fn certified_channel(
    urls: &str,
    connector: tls::Connector,
) -> anyhow::Result<MeshChannel> {
    let connect = move |uri: Uri| -> Channel {
        endpoint(without_tls(uri)).connect_with_connector_lazy(connector.clone())
    };
    let credentials = Credentials { identity: None };
    let replicas = Replicas::new(urls, connect)?;
    Ok(InterceptedService::new(Link::new(replicas), credentials))
}

/// To `https` the library has TLS of its own, whose certificates cannot change.
fn without_tls(uri: Uri) -> Uri {
    let mut parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTP);
    Uri::from_parts(parts).expect("only its scheme is another")
}

fn endpoint(uri: Uri) -> Endpoint {
    Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_concurrent_reset_streams(RESET_STREAMS_MAX)
        .http2_max_local_error_reset_streams(RESET_STREAMS_MAX)
        .tcp_nodelay(true)
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let context = context::current();
        // The metadata, unlike the endpoint's own timeout, reaches the callee.
        request.set_timeout(context.budget(CALL_TIMEOUT));
        let metadata = request.metadata_mut();
        if let Some(identity) = &self.identity {
            let (peer, credential) = (identity.peer.name(), identity.credential());
            metadata.insert(PEER_HEADER, peer.parse().expect("a member's name is ASCII"));
            let credential = credential.parse().expect("base64url is ASCII");
            metadata.insert(CREDENTIAL_HEADER, credential);
        }
        if let Some(traceparent) = context.trace.and_then(|trace| trace.header()) {
            metadata.insert(
                "traceparent",
                traceparent.parse().expect("hex and dashes are ASCII"),
            );
        }
        if let Some(client) = context.client {
            let address = client.to_string();
            metadata.insert(CLIENT_HEADER, address.parse().expect("an address is ASCII"));
        }
        Ok(request)
    }
}
