//! A wire in front of a server that can stop being one: what is behind it is away, and how.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    task::JoinSet,
};

const CHUNK: usize = 16 * 1024;
/// How soon an open connection notices.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How the server is to its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Wall {
    /// As it is.
    Open,
    /// Takes all that is sent and never answers.
    Hole,
    /// Its sockets are open, and nobody reads: a process that was stopped.
    Frozen,
    /// Nobody is there.
    Gone,
}

#[derive(Debug)]
pub struct Wire {
    pub addr: SocketAddr,
    state: Arc<AtomicU8>,
    _serving: JoinSet<()>,
}

impl Wire {
    pub async fn before(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let state = Arc::new(AtomicU8::new(Wall::Open as u8));
        let shared = state.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let state = shared.clone();
                // One that breaks off ends itself only.
                connections.spawn(async move { drop(carry(client, server, state).await) });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            addr,
            state,
            _serving: serving,
        })
    }

    pub fn set(&self, wall: Wall) {
        self.state.store(wall as u8, Ordering::SeqCst);
    }
}

async fn carry(client: TcpStream, server: SocketAddr, state: Arc<AtomicU8>) -> anyhow::Result<()> {
    if is(&state, Wall::Gone) {
        return Ok(());
    }
    let server = TcpStream::connect(server).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whichever side ends first ends both.
    tokio::select! {
        done = pass(from_client, to_server, &state) => done,
        done = pass(from_server, to_client, &state) => done,
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &AtomicU8,
) -> anyhow::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        while is(state, Wall::Frozen) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let read = tokio::select! {
            read = from.read(&mut chunk) => read?,
            () = until_gone(state) => return Ok(()),
        };
        if read == 0 {
            return Ok(());
        }
        if is(state, Wall::Open) {
            to.write_all(&chunk[..read]).await?;
        }
    }
}

async fn until_gone(state: &AtomicU8) {
    while !is(state, Wall::Gone) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is(state: &AtomicU8, wall: Wall) -> bool {
    state.load(Ordering::SeqCst) == wall as u8
}
