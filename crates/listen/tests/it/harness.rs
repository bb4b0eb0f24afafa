//! A listener whose handler the test holds back, and raw clients.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use listen::{Limits, RequestBody};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
pub const GET_GATED: &[u8] = b"GET /gated HTTP/1.1\r\nhost: x\r\n\r\n";

pub const GET_LARGE: &[u8] = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n";
/// More than the sockets of both sides hold.
pub const LARGE_BYTES: usize = 32 * 1024 * 1024;

pub struct Running {
    pub addr: SocketAddr,
    pub drain: CancellationToken,
    /// A permit lets one request to `/gated` be answered.
    pub gate: Arc<Semaphore>,
    /// A permit for each gated request that has reached its handler.
    pub entered: Arc<Semaphore>,
    pub serving: JoinHandle<()>,
}

pub async fn start(limits: Limits) -> Running {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (drain, gate) = (CancellationToken::new(), Arc::new(Semaphore::new(0)));
    let entered = Arc::new(Semaphore::new(0));
    let shared = (gate.clone(), entered.clone());
    let service = tower::service_fn(move |request| answer(request, shared.clone()));
    let serving = tokio::spawn(listen::serve(listener, limits, service, drain.clone()));
    Running {
        addr,
        drain,
        gate,
        entered,
        serving,
    }
}

async fn answer(
    request: Request<RequestBody>,
    (gate, entered): (Arc<Semaphore>, Arc<Semaphore>),
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/gated" {
        entered.add_permits(1);
        gate.acquire().await.unwrap().forget();
    }
    if request.uri().path() == "/large" {
        return Ok(Response::new(Full::from(vec![b'x'; LARGE_BYTES])));
    }
    let (status, text) = match request.into_body().collect().await {
        Ok(_) => (StatusCode::OK, "done".to_owned()),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

impl Running {
    pub async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// Begins the drain and waits for the end of the listener.
    pub async fn stop(self) {
        self.drain.cancel();
        timeout(PATIENCE, self.serving)
            .await
            .expect("the drain ends")
            .unwrap();
    }
}

/// Reads until the text has come.
pub async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    let reading = async {
        while !read.contains(text) {
            let mut bytes = [0; 1024];
            let n = stream.read(&mut bytes).await.unwrap();
            assert!(n > 0, "closed after {read:?}");
            read.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    };
    timeout(PATIENCE, reading)
        .await
        .unwrap_or_else(|_| panic!("no {text:?} comes"));
    read
}

/// Waits until the other side has closed.
pub async fn closed(stream: &mut TcpStream) {
    let closing = async {
        let mut bytes = [0; 1024];
        // A reset is an end, too.
        while stream.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
    };
    timeout(PATIENCE, closing)
        .await
        .expect("the connection is closed");
}

/// Reads until the end, and says how much came.
pub async fn drain(stream: &mut TcpStream) -> usize {
    let mut bytes = vec![0; 1024 * 1024];
    let mut read = 0;
    // A reset is an end, too.
    while let Ok(n @ 1..) = stream.read(&mut bytes).await {
        read += n;
    }
    read
}
