use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

/// Where a server listens: an address, or a listener that is already bound. The all-in-one and the
/// tests bind first, because services need each other's ports before they are built.
#[derive(Debug)]
pub enum Bind {
    Addr(SocketAddr),
    Listener(TcpListener),
}

impl Bind {
    /// Any free port on loopback.
    pub async fn loopback() -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        Ok((Self::Listener(listener), addr))
    }

    pub async fn listen(self) -> io::Result<TcpListener> {
        match self {
            Self::Addr(addr) => TcpListener::bind(addr).await,
            Self::Listener(listener) => Ok(listener),
        }
    }
}

impl From<SocketAddr> for Bind {
    fn from(addr: SocketAddr) -> Self {
        Self::Addr(addr)
    }
}
