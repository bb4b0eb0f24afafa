use std::{
    io,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::Service;

use crate::Certificates;

/// Connects to a member and makes sure that it is the one meant: by the name in its certificate, not by the address,
/// which somebody else may have taken.
#[derive(Clone, Debug)]
pub struct Connector {
    certificates: Certificates,
    callee: ServerName<'static>,
}

impl Connector {
    /// # Errors
    /// If `callee` is no DNS name.
    pub fn new(certificates: Certificates, callee: &str) -> Result<Self, InvalidDnsNameError> {
        Ok(Self {
            certificates,
            callee: ServerName::try_from(callee.to_owned())?,
        })
    }

    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await?;
        // Without it small calls wait for the peer's acknowledgement. A socket that refuses is gone.
        drop(stream.set_nodelay(true));
        let connector = TlsConnector::from(self.certificates.client());
        let stream = connector.connect(self.callee, stream).await;
        // Nothing was sent yet: to the caller it is as if nobody listened there.
        let stream =
            stream.map_err(|error| io::Error::new(io::ErrorKind::ConnectionRefused, error))?;
        Ok(TokioIo::new(stream))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
