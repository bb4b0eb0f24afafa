use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;

/// How much may be on its way in one direction of one connection: this many reads of so many bytes.
const READS_UNDER_WAY: usize = 64;
const READ_BYTES: usize = 16 * 1024;

/// Which way bytes flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// A wire in front of any TCP server, whose faults are switched while it is in use. Without faults it passes
/// everything on. Gone, with all its connections, when dropped.
#[derive(Debug)]
pub struct FaultProxy {
    url: String,
    addr: SocketAddr,
    faults: watch::Sender<Faults>,
    connections: Arc<AtomicU64>,
    listener: AbortHandle,
}

#[derive(Debug, Clone, Default)]
struct Faults {
    /// Where new connections go.
    server: String,
    up: Flow,
    down: Flow,
    /// Connections up to this number are half-open.
    silent_up_to: u64,
    reset_up_to: u64,
    refusing: bool,
    cut: Option<Cut>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Flow {
    latency: Duration,
    bytes_per_sec: Option<usize>,
    dropped: bool,
}

#[derive(Debug, Clone)]
struct Cut {
    direction: Direction,
    pattern: Vec<u8>,
    times: u32,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1 in front of the server of this URL (of any scheme, with a port).
    pub async fn before(url: &str) -> Self {
        let mut url = Url::parse(url).expect("a URL to stand in front of");
        let host = url.host_str().expect("a URL with a host");
        let port = url.port_or_known_default().expect("a URL with a port");
        let faults = watch::Sender::new(Faults {
            server: format!("{host}:{port}"),
            ..Faults::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port for the proxy");
        let addr = listener.local_addr().expect("the port of the proxy");
        url.set_host(Some("127.0.0.1")).expect("a URL with a host");
        url.set_port(Some(addr.port())).expect("a URL with a host");
        let connections = Arc::new(AtomicU64::new(0));
        let accept = accept(listener, faults.clone(), connections.clone());
        Self {
            url: url.into(),
            addr,
            faults,
            connections,
            listener: tokio::spawn(accept).abort_handle(),
        }
    }

    /// The server's URL, through this proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections were made so far, ended ones included.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// New connections go to the server of this URL: an address that moves. Those that are open stay where they are.
    pub fn lead_to(&self, url: &str) {
        let url = Url::parse(url).expect("a URL to lead to");
        let host = url.host_str().expect("a URL with a host");
        let port = url.port_or_known_default().expect("a URL with a port");
        self.change(|faults| faults.server = format!("{host}:{port}"));
    }

    /// Everything arrives so much later, in order and at the same speed.
    pub fn delay(&self, direction: Direction, by: Duration) {
        self.change(|faults| faults.flow(direction).latency = by);
    }

    /// Bytes per second of each connection at most; `None` is as fast as it goes.
    pub fn throttle(&self, direction: Direction, bytes_per_sec: Option<usize>) {
        self.change(|faults| faults.flow(direction).bytes_per_sec = bytes_per_sec);
    }

    /// While on, what is sent in this direction is lost, on new connections too.
    pub fn lose(&self, direction: Direction, on: bool) {
        self.change(|faults| faults.flow(direction).dropped = on);
    }

    /// Every connection made so far is half-open from now on: it stays, and neither side hears anything of the other,
    /// its end included. New connections work.
    pub fn silence_connected(&self) {
        let connected = self.connections();
        self.change(|faults| faults.silent_up_to = connected);
    }

    /// Every connection made so far is reset, on both sides.
    pub fn reset_connected(&self) {
        let connected = self.connections();
        self.change(|faults| faults.reset_up_to = connected);
    }

    /// While on, new connections are reset at once.
    pub fn refuse(&self, on: bool) {
        self.change(|faults| faults.refusing = on);
    }

    /// The next `times` that this pattern passes in this direction, it arrives, and the connection ends in place of the
    /// answer: the far side did what it was asked, and the near side cannot know. 0 takes it back.
    pub fn cut_after(&self, direction: Direction, pattern: &str, times: u32) {
        let pattern = pattern.as_bytes().to_vec();
        let cut = Cut {
            direction,
            pattern,
            times,
        };
        self.change(|faults| faults.cut = Some(cut));
    }

    fn change(&self, change: impl FnOnce(&mut Faults)) {
        self.faults.send_modify(change);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Faults {
    fn flow(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}

async fn accept(listener: TcpListener, faults: watch::Sender<Faults>, connections: Arc<AtomicU64>) {
    // Ends its members when it is dropped.
    let mut wires = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let wire = Wire {
            number: connections.fetch_add(1, Ordering::SeqCst) + 1,
            faults: faults.clone(),
            cut: AtomicBool::new(false),
        };
        if faults.borrow().refusing {
            reset(&client);
            continue;
        }
        let server = faults.borrow().server.clone();
        wires.spawn(async move { wire.run(client, &server).await });
        while wires.try_join_next().is_some() {}
    }
}

/// One connection.
struct Wire {
    number: u64,
    faults: watch::Sender<Faults>,
    /// The pattern has passed: nothing goes back any more.
    cut: AtomicBool,
}

impl Wire {
    async fn run(self, mut client: TcpStream, server: &str) {
        let Ok(mut server) = TcpStream::connect(server).await else {
            return reset(&client);
        };
        // Best effort: it is about speed only.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ended = {
            let (client_in, client_out) = client.split();
            let (server_in, server_out) = server.split();
            let pumps = async {
                tokio::try_join!(
                    self.pump(Direction::Up, client_in, server_out),
                    self.pump(Direction::Down, server_in, client_out),
                )
            };
            tokio::select! {
                ended = pumps => ended.is_ok(),
                () = self.is_reset() => false,
            }
        };
        if !ended {
            reset(&client);
            reset(&server);
        }
    }

    async fn is_reset(&self) {
        let mut faults = self.faults.subscribe();
        let reset = |faults: &Faults| faults.reset_up_to >= self.number;
        // An error would mean that the sender is gone, and it is ours too.
        let _ = faults.wait_for(reset).await;
    }

    fn is_silent(&self) -> bool {
        self.faults.borrow().silent_up_to >= self.number
    }

    fn flow(&self, direction: Direction) -> Flow {
        let faults = self.faults.borrow();
        match direction {
            Direction::Up => faults.up,
            Direction::Down => faults.down,
        }
    }

    /// Until one side ends its half, or an error where the connection is over.
    async fn pump(
        &self,
        direction: Direction,
        from: ReadHalf<'_>,
        to: WriteHalf<'_>,
    ) -> io::Result<()> {
        let (queue, under_way) = mpsc::channel(READS_UNDER_WAY);
        let take = self.take(direction, from, queue);
        tokio::try_join!(take, self.deliver(direction, under_way, to))?;
        Ok(())
    }

    async fn take(
        &self,
        direction: Direction,
        mut from: ReadHalf<'_>,
        queue: mpsc::Sender<(Instant, Vec<u8>)>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let mut tail = Vec::new();
        loop {
            let count = from.read(&mut buffer).await?;
            if self.is_silent() {
                if count == 0 {
                    return pending().await;
                }
                continue;
            }
            if count == 0 {
                return Ok(());
            }
            if self.cut.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let flow = self.flow(direction);
            if flow.dropped {
                continue;
            }
            self.look_for_cut(direction, &mut tail, &buffer[..count]);
            let bytes = (Instant::now() + flow.latency, buffer[..count].to_vec());
            // An error means that the other half ended, which says so itself.
            let _ = queue.send(bytes).await;
        }
    }

    async fn deliver(
        &self,
        direction: Direction,
        mut under_way: mpsc::Receiver<(Instant, Vec<u8>)>,
        mut to: WriteHalf<'_>,
    ) -> io::Result<()> {
        while let Some((at, bytes)) = under_way.recv().await {
            sleep_until(at).await;
            let mut left = bytes.as_slice();
            while !left.is_empty() && !self.is_silent() {
                let rate = self.flow(direction).bytes_per_sec;
                // A twentieth of a second's worth at a time.
                let piece = rate.map_or(left.len(), |rate| (rate / 20).clamp(1, left.len()));
                to.write_all(&left[..piece]).await?;
                left = &left[piece..];
                if let Some(rate) = rate {
                    sleep(Duration::from_secs_f64(piece as f64 / rate as f64)).await;
                }
            }
        }
        to.shutdown().await
    }

    /// A pattern may come in two reads, so the end of the one before is looked at again.
    fn look_for_cut(&self, direction: Direction, tail: &mut Vec<u8>, bytes: &[u8]) {
        tail.extend_from_slice(bytes);
        self.faults.send_if_modified(|faults| {
            let Some(cut) = faults.cut.as_mut() else {
                tail.clear();
                return false;
            };
            let length = cut.pattern.len().max(1);
            let found = cut.direction == direction
                && cut.times > 0
                && tail.windows(length).any(|window| window == cut.pattern);
            if found {
                cut.times -= 1;
                self.cut.store(true, Ordering::SeqCst);
            }
            tail.drain(..tail.len().saturating_sub(length - 1));
            false
        });
    }
}

/// Lets the socket end with a reset when it is dropped.
fn reset(socket: &TcpStream) {
    // A socket that is gone already needs none.
    let _ = socket.set_zero_linger();
}
