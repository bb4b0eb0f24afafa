//! Calls to other members: who we are, how long there is, and which trace it belongs to.

use std::time::Duration;

use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Endpoint, Error},
};

use crate::{
    context::{self, CLIENT_HEADER},
    mesh::{CREDENTIAL_HEADER, MeshIdentity, PEER_HEADER},
};

mod link;
mod unsent;

pub use link::Link;
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

/// Connections to the member at `url`, made on first use, so that members start in any order. The
/// credential travels in the clear: for this machine. See [`crate::Member::channel`].
pub fn channel(url: &str, identity: MeshIdentity) -> Result<MeshChannel, Error> {
    let endpoint = endpoint(url.to_owned())?;
    let identity = Some(identity);
    Ok(InterceptedService::new(
        Link::new(|| endpoint.connect_lazy()),
        Credentials { identity },
    ))
}

/// The same over connections that prove both ends.
pub(crate) fn certified_channel(
    url: &str,
    connector: &tls::Connector,
) -> Result<MeshChannel, Error> {
    // To `https` the library has TLS of its own, whose certificates cannot change.
    let plain = url.strip_prefix("https").map(|rest| format!("http{rest}"));
    let endpoint = endpoint(plain.unwrap_or_else(|| url.to_owned()))?;
    let connect = || endpoint.connect_with_connector_lazy(connector.clone());
    Ok(InterceptedService::new(
        Link::new(connect),
        Credentials { identity: None },
    ))
}

fn endpoint(url: String) -> Result<Endpoint, Error> {
    let endpoint = Endpoint::from_shared(url)?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_concurrent_reset_streams(RESET_STREAMS_MAX)
        .http2_max_local_error_reset_streams(RESET_STREAMS_MAX)
        .tcp_nodelay(true);
    Ok(endpoint)
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
