//! TLS on a listener: a peer is known by its certificate before it can ask for anything.

use std::sync::Arc;

use http::Extensions;
use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::connection::{Opened, Rules};

/// How a listener speaks TLS.
pub trait Tls: Send + Sync + 'static {
    /// Asked at each connection, so that certificates may change while it serves.
    fn config(&self) -> Arc<ServerConfig>;

    /// What a certificate that was verified says of the peer; becomes extensions of its requests.
    /// None: it is nobody we know, and the connection is closed.
    fn admit(&self, certificate: &CertificateDer<'_>) -> Option<Extensions>;
}

/// None if the connection is over: the handshake failed or took too long, or the peer is a stranger.
pub(crate) async fn shake_hands(
    opened: Opened,
    tls: &dyn Tls,
    rules: &Rules,
) -> Option<Opened<TlsStream<TcpStream>>> {
    let handshake = TlsAcceptor::from(tls.config()).accept(opened.stream);
    let outcome = tokio::select! {
        outcome = timeout(rules.limits.header_timeout, handshake) => outcome,
        () = rules.drain.cancelled() => return None,
    };
    let peer = opened.remote.0;
    let stream = match outcome {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            // Not a fault of ours; but members whose certificate has expired are found by this line.
            tracing::info!(%peer, %error, "a connection was refused in the TLS handshake");
            return None;
        }
        Err(_elapsed) => return None,
    };
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    let Some(known) = tls.admit(certificate) else {
        tracing::info!(%peer, "a connection was refused: its certificate names no member");
        return None;
    };
    Some(Opened {
        stream,
        remote: opened.remote,
        known: Some(known),
        number: opened.number,
    })
}
