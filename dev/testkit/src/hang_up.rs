use std::net::SocketAddr;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// A client that leaves: sends `request` (bytes of HTTP/1, whole or in part) on a connection of its own, waits for
/// `moment`, and closes the connection without having read anything.
///
/// The moment is a state that the test waits for, such as "the handler has begun", or `ready(())` for at once. For
/// gRPC, drop the future of the call, which cancels it alone, or put a [`FaultProxy`](crate::FaultProxy) between and
/// reset its connections.
pub async fn hang_up(server: SocketAddr, request: &[u8], moment: impl Future<Output = ()>) {
    let connected = TcpStream::connect(server).await;
    let mut socket = connected.unwrap_or_else(|error| panic!("connecting to {server}: {error}"));
    socket
        .write_all(request)
        .await
        .expect("a server that reads");
    socket.flush().await.expect("a server that reads");
    moment.await;
}
