use crate::eventually;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Split};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// A message the sink accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Envelope sender, without angle brackets.
    pub from: String,
    /// Envelope recipients, without angle brackets.
    pub to: Vec<String>,
    /// Headers and body as sent, CRLF line ends, dots unstuffed.
    pub data: String,
}

/// An SMTP server that keeps what it gets: enough of ESMTP for a mail library, and faults on demand.
#[derive(Debug)]
pub struct Smtp {
    addr: SocketAddr,
    state: Arc<Mutex<State>>,
    listener: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    /// What happens to the next messages at the end of their data.
    faults: VecDeque<Fault>,
    /// While greylisting: who has been sent away once.
    greylist: Option<HashSet<String>>,
    /// What happens at the name of a recipient of this domain.
    domains: HashMap<String, DomainFault>,
    /// Connections that were opened.
    connections: u64,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Refuse(u16),
    Delay(Duration),
    Cut,
}

#[derive(Debug, Clone, Copy)]
enum DomainFault {
    Refuse(u16),
    Stall(Duration),
}

impl Smtp {
    /// Listens on a free port of 127.0.0.1 until the value is dropped.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port for the SMTP sink");
        let addr = listener.local_addr().expect("the port of the SMTP sink");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let accept = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                lock(&shared).connections += 1;
                // A client that breaks off ends its own session only.
                tokio::spawn(serve(socket, shared.clone()));
            }
        });
        Self {
            addr,
            state,
            listener: accept.abort_handle(),
        }
    }

    /// `smtp://127.0.0.1:port`, as `SMTP_URL` takes it.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.addr)
    }

    /// Every message accepted so far, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.state).messages.clone()
    }

    /// Waits until at least `count` messages have arrived and returns all of them. Panics after `timeout`.
    pub async fn wait_for(&self, count: usize, timeout: Duration) -> Vec<Message> {
        eventually(&format!("{count} mails in the sink"), timeout, async || {
            Some(self.messages()).filter(|messages| messages.len() >= count)
        })
        .await
    }

    /// Refuses the next `times` messages at the end of DATA with this code (451 temporary, 550 final).
    pub fn refuse_next(&self, code: u16, times: usize) {
        self.plan(Fault::Refuse(code), times);
    }

    /// Takes the next `times` messages, and says so only after this long.
    pub fn delay_next(&self, by: Duration, times: usize) {
        self.plan(Fault::Delay(by), times);
    }

    /// Takes the next `times` messages and ends the connection in place of the answer: the mail is on its way, and its
    /// sender cannot know.
    pub fn cut_next(&self, times: usize) {
        self.plan(Fault::Cut, times);
    }

    /// While on, the first mail to each recipient is refused for now (450), as servers do that wait whether a sender
    /// comes again.
    pub fn greylist(&self, on: bool) {
        lock(&self.state).greylist = on.then(HashSet::new);
    }

    /// Refuses each recipient of a domain with this code.
    pub fn refuse_domain(&self, domain: &str, code: u16) {
        let fault = DomainFault::Refuse(code);
        lock(&self.state).domains.insert(domain.to_owned(), fault);
    }

    /// Answers to a recipient of a domain after this long, as a server does that asks another one.
    pub fn stall_domain(&self, domain: &str, by: Duration) {
        let fault = DomainFault::Stall(by);
        lock(&self.state).domains.insert(domain.to_owned(), fault);
    }

    /// The domain's recipients are taken again.
    pub fn heal_domain(&self, domain: &str) {
        lock(&self.state).domains.remove(domain);
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> u64 {
        lock(&self.state).connections
    }

    fn plan(&self, fault: Fault, times: usize) {
        let faults = std::iter::repeat_n(fault, times);
        lock(&self.state).faults.extend(faults);
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(socket: TcpStream, state: Arc<Mutex<State>>) -> io::Result<()> {
    let (reader, mut writer) = socket.into_split();
    let mut lines = BufReader::new(reader).split(b'\n');
    let (mut from, mut to) = (String::new(), Vec::new());
    writer.write_all(b"220 sink ESMTP\r\n").await?;
    while let Some(line) = lines.next_segment().await? {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let upper = line.to_ascii_uppercase();
        let answer = match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN".to_owned(),
            "HELO" | "NOOP" => "250 ok".to_owned(),
            "AUTH" => "235 welcome".to_owned(),
            "MAIL" => {
                (from, to) = (address(&line), Vec::new());
                "250 ok".to_owned()
            }
            "RCPT" if is_greylisted(&state, &address(&line)) => "450 come again".to_owned(),
            "RCPT" => match domain_fault(&state, &address(&line)) {
                // Servers name whom they refuse.
                Some(DomainFault::Refuse(code)) => {
                    format!("{code} <{}>: refused by the test", address(&line))
                }
                fault => {
                    if let Some(DomainFault::Stall(by)) = fault {
                        tokio::time::sleep(by).await;
                    }
                    to.push(address(&line));
                    "250 ok".to_owned()
                }
            },
            "RSET" => {
                (from, to) = (String::new(), Vec::new());
                "250 ok".to_owned()
            }
            "DATA" if to.is_empty() => "503 no recipient".to_owned(),
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let Some(data) = read_data(&mut lines).await? else {
                    return Ok(());
                };
                let message = Message {
                    from: std::mem::take(&mut from),
                    to: std::mem::take(&mut to),
                    data,
                };
                let Some(answer) = end_of_data(&state, message).await else {
                    return Ok(());
                };
                answer
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "502 not here".to_owned(),
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

/// Everything up to the line with one dot; `None` when the client breaks off.
async fn read_data(lines: &mut Split<BufReader<OwnedReadHalf>>) -> io::Result<Option<String>> {
    let mut data = String::new();
    while let Some(line) = lines.next_segment().await? {
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix('\r').unwrap_or(&line);
        if line == "." {
            return Ok(Some(data));
        }
        data += line.strip_prefix('.').unwrap_or(line);
        data += "\r\n";
    }
    Ok(None)
}

/// The answer to a message; `None` ends the connection without one.
async fn end_of_data(state: &Mutex<State>, message: Message) -> Option<String> {
    let fault = lock(state).faults.pop_front();
    if let Some(Fault::Refuse(code)) = fault {
        return Some(format!("{code} refused by the test"));
    }
    lock(state).messages.push(message);
    match fault {
        Some(Fault::Cut) => None,
        Some(Fault::Delay(by)) => {
            tokio::time::sleep(by).await;
            Some("250 kept, after a while".to_owned())
        }
        _ => Some("250 kept".to_owned()),
    }
}

/// Whether this recipient is to be sent away, this once.
fn is_greylisted(state: &Mutex<State>, recipient: &str) -> bool {
    let mut state = lock(state);
    let seen = state.greylist.as_mut();
    seen.is_some_and(|seen| seen.insert(recipient.to_owned()))
}

fn domain_fault(state: &Mutex<State>, recipient: &str) -> Option<DomainFault> {
    let (_, domain) = recipient.rsplit_once('@')?;
    lock(state).domains.get(domain).copied()
}

/// `MAIL FROM:<a@b> SIZE=1` → `a@b`.
fn address(line: &str) -> String {
    let inner = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or("", |(address, _)| address).to_owned()
}
