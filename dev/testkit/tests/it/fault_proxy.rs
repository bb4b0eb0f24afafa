use std::future::ready;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use testkit::{Direction, FaultProxy, hang_up};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

const SILENCE: Duration = Duration::from_secs(2);

/// A server that answers what it hears, and tells the test about it.
async fn echo() -> (String, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let (heard, inbox) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = socket.read(&mut buffer).await {
                    let _ = heard.send(buffer[..count].to_vec());
                    if socket.write_all(&buffer[..count]).await.is_err() {
                        break;
                    }
                }
                let _ = heard.send(Vec::new());
            });
        }
    });
    (url, inbox)
}

async fn connect(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(proxy.addr()).await.unwrap()
}

/// Sends and awaits the echo. `Err(None)` is silence.
async fn say(socket: &mut TcpStream, text: &str) -> Result<String, Option<ErrorKind>> {
    let mut buffer = vec![0; text.len()];
    let exchange = async {
        socket.write_all(text.as_bytes()).await?;
        socket.read_exact(&mut buffer).await
    };
    match timeout(SILENCE, exchange).await {
        Ok(Ok(_)) => Ok(String::from_utf8(buffer).unwrap()),
        Ok(Err(error)) => Err(Some(error.kind())),
        Err(_) => Err(None),
    }
}

#[tokio::test]
async fn passes_everything_on_and_counts() {
    let (url, _heard) = echo().await;
    let proxy = FaultProxy::before(&url).await;
    let mut one = connect(&proxy).await;
    let mut two = connect(&proxy).await;
    assert_eq!(say(&mut one, "one").await.unwrap(), "one");
    assert_eq!(say(&mut two, "two").await.unwrap(), "two");
    assert_eq!(proxy.connections(), 2);
    assert_eq!(proxy.url(), format!("tcp://{}", proxy.addr()));
}

#[tokio::test]
async fn half_open_connections_stay_silent_and_new_ones_work() {
    let (url, mut heard) = echo().await;
    let proxy = FaultProxy::before(&url).await;
    let mut old = connect(&proxy).await;
    say(&mut old, "hello").await.unwrap();
    heard.recv().await.unwrap();
    proxy.silence_connected();
    assert_eq!(say(&mut old, "hello?").await, Err(None));
    let mut new = connect(&proxy).await;
    assert_eq!(say(&mut new, "new").await.unwrap(), "new");
    assert_eq!(heard.recv().await.unwrap(), b"new");
    // The server does not even learn that the client is gone.
    drop(old);
    assert!(timeout(SILENCE, heard.recv()).await.is_err());
}

#[tokio::test]
async fn resets_the_connected_and_refuses_the_new() {
    let (url, _heard) = echo().await;
    let proxy = FaultProxy::before(&url).await;
    let mut socket = connect(&proxy).await;
    say(&mut socket, "hello").await.unwrap();
    proxy.reset_connected();
    let reset = socket.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    proxy.refuse(true);
    assert!(say(&mut connect(&proxy).await, "hello").await.is_err());
    proxy.refuse(false);
    say(&mut connect(&proxy).await, "hello").await.unwrap();
}

#[tokio::test]
async fn a_cut_lets_the_request_through_and_swallows_the_answer() {
    let (url, mut heard) = echo().await;
    let proxy = FaultProxy::before(&url).await;
    proxy.cut_after(Direction::Up, "COMMIT", 1);
    let mut socket = connect(&proxy).await;
    say(&mut socket, "BEGIN COM").await.unwrap();
    heard.recv().await.unwrap();
    // The pattern comes in two pieces.
    let cut = say(&mut socket, "MIT").await;
    assert_eq!(cut, Err(Some(ErrorKind::ConnectionReset)));
    assert_eq!(heard.recv().await.unwrap(), b"MIT");
    let mut again = connect(&proxy).await;
    assert_eq!(say(&mut again, "COMMIT").await.unwrap(), "COMMIT");
}

#[tokio::test]
async fn loses_one_direction_only() {
    let (url, mut heard) = echo().await;
    let proxy = FaultProxy::before(&url).await;
    let mut socket = connect(&proxy).await;
    proxy.lose(Direction::Down, true);
    assert_eq!(say(&mut socket, "hello").await, Err(None));
    assert_eq!(heard.recv().await.unwrap(), b"hello");
    proxy.lose(Direction::Down, false);
    proxy.lose(Direction::Up, true);
    assert_eq!(say(&mut socket, "hello").await, Err(None));
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn is_late_and_slow_on_demand() {
    let (url, _heard) = echo().await;
    let proxy = FaultProxy::before(&url).await;
    let mut socket = connect(&proxy).await;
    proxy.delay(Direction::Down, Duration::from_millis(100));
    let started = Instant::now();
    say(&mut socket, "late").await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(100));
    proxy.delay(Direction::Down, Duration::ZERO);
    proxy.throttle(Direction::Up, Some(1000));
    let started = Instant::now();
    say(&mut socket, &"x".repeat(100)).await.unwrap();
    // The last piece is on its way before its share of the time is over.
    assert!(started.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_client_hangs_up_when_told() {
    let (url, mut heard) = echo().await;
    let proxy = FaultProxy::before(&url).await;
    hang_up(proxy.addr(), b"half a requ", async {
        assert_eq!(heard.recv().await.unwrap(), b"half a requ");
    })
    .await;
    assert_eq!(heard.recv().await.unwrap(), b"");
    hang_up(proxy.addr(), b"", ready(())).await;
    assert_eq!(heard.recv().await.unwrap(), b"");
}
