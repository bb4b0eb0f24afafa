//! Keeps one server process: starts it, starts it again when it dies, ends it with us.
//!
//! Each server has a thread of its own for its whole life. The parent-death signal is tied to the thread that
//! spawned the process, so a thread of an async runtime, which may end earlier than the program, will not do.

use crate::command::{on_path, signal, tail};
use anyhow::{Context as _, Result};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Log files beyond this are set aside (one old file is kept) at the next start.
const LOG_LIMIT_BYTES: u64 = 16 * 1024 * 1024;
const WATCH_INTERVAL: Duration = Duration::from_millis(100);
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LAST_BACKOFF: Duration = Duration::from_secs(5);

/// What to run and how to end it.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub name: &'static str,
    /// Program and arguments; each program in front of the server replaces itself, so the pid is the server's.
    pub argv: Vec<String>,
    /// What stands before `argv` to change who runs it.
    pub prefix: Vec<String>,
    pub dir: PathBuf,
    pub log: PathBuf,
    /// Signals in the order of growing urgency; after the last one the process is killed.
    pub stop_signals: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
enum Order {
    /// From now on an exit is a fault: start again.
    KeepAlive,
    Stop,
}

/// A running server. Dropping it ends it too, and waits.
#[derive(Debug)]
pub(crate) struct Server {
    launch: Launch,
    pid: Arc<AtomicU32>,
    orders: Sender<Order>,
    ended: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the process. It counts as starting until `keep_alive`.
    pub(crate) fn start(launch: Launch) -> Result<Self> {
        let (orders, inbox) = channel();
        let (started_tx, started_rx) = channel();
        let (ended_tx, ended) = oneshot::channel();
        let pid = Arc::new(AtomicU32::new(0));
        let watcher = Watcher {
            launch: launch.clone(),
            inbox,
            pid: pid.clone(),
        };
        let thread = thread::Builder::new()
            .name(format!("watch-{}", launch.name))
            .spawn(move || {
                watcher.run(&started_tx);
                drop(ended_tx);
            })
            .with_context(|| format!("starting a thread for {}", launch.name))?;
        let server = Self {
            launch,
            pid,
            orders,
            ended: Some(ended),
            thread: Some(thread),
        };
        let started = started_rx
            .recv()
            .context("the watching thread ended early")?;
        started.with_context(|| format!("starting {}", server.launch.name))?;
        Ok(server)
    }

    pub(crate) fn keep_alive(&self) {
        // A thread that has ended has no process to keep.
        let _ = self.orders.send(Order::KeepAlive);
    }

    /// `None` while no process runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }

    /// The end of the server's log, for a message.
    pub(crate) fn last_words(&self) -> String {
        tail(&fs::read_to_string(&self.launch.log).unwrap_or_default(), 8)
    }

    /// Ends the process in order and waits for it.
    pub(crate) async fn stop(mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(ended) = self.ended.take() {
            // An error says that the sender is gone: the thread is through.
            let _ = ended.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic of the watcher was reported by its own thread.
            let _ = thread.join();
        }
    }
}

struct Watcher {
    launch: Launch,
    inbox: Receiver<Order>,
    pid: Arc<AtomicU32>,
}

impl Watcher {
    fn run(&self, started: &Sender<io::Result<()>>) {
        let mut process = match Process::spawn(&self.launch) {
            Ok(process) => process,
            Err(error) => return drop(started.send(Err(error))),
        };
        self.pid.store(process.child.id(), Ordering::Release);
        let _ = started.send(Ok(()));

        let (mut keep, mut backoff, mut since) = (false, FIRST_BACKOFF, Instant::now());
        loop {
            match self.inbox.recv_timeout(WATCH_INTERVAL) {
                Ok(Order::KeepAlive) => keep = true,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    return process.end(&self.launch);
                }
            }
            let Ok(Some(status)) = process.child.try_wait() else {
                continue;
            };
            self.pid.store(0, Ordering::Release);
            drop(process);
            if !keep {
                return;
            }
            if since.elapsed() > 4 * LAST_BACKOFF {
                backoff = FIRST_BACKOFF;
            }
            tracing::error!(server = self.launch.name, %status, "server ended by itself, starting it again");
            let Some(again) = self.spawn_again(&mut backoff) else {
                return;
            };
            process = again;
            since = Instant::now();
            self.pid.store(process.child.id(), Ordering::Release);
        }
    }

    /// `None` when told to stop meanwhile.
    fn spawn_again(&self, backoff: &mut Duration) -> Option<Process> {
        loop {
            match self.inbox.recv_timeout(*backoff) {
                Ok(Order::KeepAlive) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
            }
            *backoff = (*backoff * 2).min(LAST_BACKOFF);
            match Process::spawn(&self.launch) {
                Ok(process) => return Some(process),
                Err(error) => {
                    tracing::error!(server = self.launch.name, %error, "starting the server again failed");
                }
            }
        }
    }
}

/// A server process, and where the system has no parent-death signal, a shell that waits for our end.
struct Process {
    child: Child,
    lifeline: Option<Child>,
}

impl Process {
    fn spawn(launch: &Launch) -> io::Result<Self> {
        let urgent = launch.stop_signals.first().copied().unwrap_or("TERM");
        let has_death_signal = cfg!(target_os = "linux") && on_path("setpriv").is_some();
        let mut argv = launch.prefix.clone();
        if has_death_signal {
            // After the change of identity, which would clear it.
            argv.extend(["setpriv", "--pdeathsig", urgent, "--"].map(str::to_owned));
        }
        argv.extend(launch.argv.iter().cloned());

        let log = open_log(&launch.log)?;
        let mut child = Command::new(&argv[0])
            .args(&argv[1..])
            .current_dir(&launch.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in the terminal goes to our group: services drain first, then we end the servers.
            .process_group(0)
            .spawn()?;
        let lifeline = if has_death_signal {
            None
        } else {
            Some(lifeline(child.id(), urgent))
        };
        match lifeline.transpose() {
            Ok(lifeline) => Ok(Self { child, lifeline }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn end(mut self, launch: &Launch) {
        for name in launch.stop_signals {
            signal(self.child.id(), name);
            if self.ends_within(Duration::from_secs(15)) {
                return;
            }
            tracing::warn!(
                server = launch.name,
                signal = name,
                "server did not end in time"
            );
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn ends_within(&mut self, limit: Duration) -> bool {
        let asked = Instant::now();
        while asked.elapsed() < limit {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            let _ = lifeline.kill();
            let _ = lifeline.wait();
        }
    }
}

/// A shell that reads a pipe which nobody writes: it meets its end when our process does.
fn lifeline(pid: u32, signal: &str) -> io::Result<Child> {
    Command::new("sh")
        .args([
            "-c",
            r#"read -r _; kill -s "$1" "$2""#,
            "sh",
            signal,
            &pid.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

fn open_log(path: &Path) -> io::Result<File> {
    if path
        .metadata()
        .is_ok_and(|meta| meta.len() > LOG_LIMIT_BYTES)
    {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}
