use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// Who comes while we are busy waits in the kernel, which may have a lower limit of its own. One more
/// believes to be connected and is not.
const WAITING_MAX: u32 = 4096;

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
        let listener = open(([127, 0, 0, 1], 0).into())?;
        let addr = listener.local_addr()?;
        Ok((Self::Listener(listener), addr))
    }

    pub async fn listen(self) -> io::Result<TcpListener> {
        match self {
            Self::Addr(addr) => open(addr),
            Self::Listener(listener) => Ok(listener),
        }
    }
}

/// As `TcpListener::bind` does, with more room.
fn open(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Else a port is taken for a minute after a restart. On Windows the word means something else.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(WAITING_MAX)
}

impl From<SocketAddr> for Bind {
    fn from(addr: SocketAddr) -> Self {
        Self::Addr(addr)
    }
}
