//! A mail server that takes everything and keeps little: when a mail came, and what its head says.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::ensure;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// More of a mail is not kept.
const KEPT_BYTES: usize = 16 * 1024;
const KEPT_MAILS: usize = 2_000;

/// A mail that was accepted.
#[derive(Clone, Debug)]
pub struct Mail {
    pub at: Instant,
    text: String,
}

impl Mail {
    /// Lines of quoted-printable may break a word; ids are in the head and in the boundaries, which never break.
    pub fn text_holds(&self, word: &str) -> bool {
        self.text.contains(word)
    }
}

#[derive(Debug, Default)]
struct State {
    accepted: u64,
    duplicates: u64,
    ids: HashSet<String>,
    mails: Vec<Mail>,
}

#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _serving: JoinSet<()>,
}

impl Sink {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let mut serving = JoinSet::new();
        let shared = state.clone();
        serving.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                // A client that breaks off ends its own session only.
                sessions.spawn(async move { drop(session(stream, &state).await) });
                while sessions.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            state,
            _serving: serving,
        })
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn accepted(&self) -> u64 {
        lock(&self.state).accepted
    }

    /// Mails whose Message-ID came before.
    pub fn duplicates(&self) -> u64 {
        lock(&self.state).duplicates
    }

    pub fn forget_duplicates(&self) {
        let mut state = lock(&self.state);
        state.ids.clear();
        state.duplicates = 0;
    }

    /// What was kept so far, which is forgotten.
    pub fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut lock(&self.state).mails)
    }

    pub async fn wait_for(&self, accepted: u64, patience: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        while self.accepted() < accepted {
            ensure!(
                Instant::now() < until,
                "{} of {accepted} mails came",
                self.accepted()
            );
            // Sleeps: between two looks.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As much of ESMTP as a mail library needs.
async fn session(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    stream.write_all(b"220 sink\r\n").await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match word.as_slice() {
            b"EHLO" => b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            b"DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let text = data(&mut stream).await?;
                accept(state, text);
                b"250 taken\r\n"
            }
            b"QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer).await?;
    }
}

/// The beginning of a mail, which is read to its end.
async fn data(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let (mut text, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
        if text.len() < KEPT_BYTES {
            text.extend_from_slice(&line);
        }
    }
}

fn accept(state: &Mutex<State>, text: String) {
    let mut lines = text.lines();
    let id = lines.find_map(|line| line.strip_prefix("Message-ID: "));
    let id = id.map(str::to_owned);
    let mut state = lock(state);
    state.accepted += 1;
    if let Some(id) = id
        && !state.ids.insert(id)
    {
        state.duplicates += 1;
    }
    if state.mails.len() < KEPT_MAILS {
        let at = Instant::now();
        state.mails.push(Mail { at, text });
    }
}
