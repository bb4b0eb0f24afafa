//! Keeps one server process: starts it, starts it again when it dies, ends it with us.
//!
//! Each server has a thread of its own for its whole life. The parent-death signal is tied to the thread that
//! spawned the process, so a thread of an async runtime, which may end earlier than the program, will not do.

use crate::command::{Argv, on_path, signal, tail};
use anyhow::{Context as _, Result};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const WATCH_INTERVAL: Duration = Duration::from_millis(100);
const STOP_LIMIT: Duration = Duration::from_secs(15);
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LAST_BACKOFF: Duration = Duration::from_secs(5);

/// What to run and how to end it.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub name: &'static str,
    /// Begins with [`dies_with_us`]. Programs before the server replace themselves by it, so the pid is its own.
    pub argv: Argv,
    pub dir: PathBuf,
    pub log: PathBuf,
    /// In the order of growing urgency; after the last one the process is killed.
    pub stop_signals: &'static [&'static str],
}

/// Lets a command line get `signal` when we die, where the system can do that. To be added after a change of
/// identity, which would clear it.
pub(crate) fn dies_with_us(argv: Argv, signal: &str) -> Argv {
    if !has_death_signal() {
        return argv;
    }
    argv.words("setpriv --pdeathsig").arg(signal).arg("--")
}

fn has_death_signal() -> bool {
    cfg!(target_os = "linux") && on_path("setpriv").is_some()
}

enum Order {
    /// From now on an exit is a fault: start again.
    KeepAlive,
    Stop,
}

/// A running server. Dropping it ends it too, and waits.
#[derive(Debug)]
pub(crate) struct Server {
    log: PathBuf,
    /// 0 while no process runs.
    pid: Arc<AtomicU32>,
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the process. It counts as starting until `keep_alive`.
    pub(crate) fn start(launch: Launch) -> Result<Self> {
        let (orders, inbox) = channel();
        let (started, answer) = channel();
        let pid = Arc::new(AtomicU32::new(0));
        let (name, log, shown) = (launch.name, launch.log.clone(), pid.clone());
        let thread = thread::Builder::new()
            .name(format!("watch-{name}"))
            .spawn(move || {
                // The starter waits for the answer, so somebody receives it.
                match Process::spawn(&launch, &shown) {
                    Ok(process) => {
                        let _ = started.send(Ok(()));
                        watch(process, &launch, &inbox, &shown);
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            });
        let thread = Some(thread.context("starting a thread")?);
        let answer = answer.recv().context("the watching thread ended early")?;
        answer.with_context(|| format!("starting {name}"))?;
        Ok(Self {
            log,
            pid,
            orders,
            thread,
        })
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
        tail(&fs::read_to_string(&self.log).unwrap_or_default(), 8)
    }

    /// Ends the process in order and waits for it.
    pub(crate) async fn stop(self) {
        // Only a runtime that is shutting down refuses; then it is dropped here and now.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
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

/// Until told to stop, or until the process ends while it is not to be kept.
fn watch(mut process: Process, launch: &Launch, inbox: &Receiver<Order>, pid: &AtomicU32) {
    let (mut keep, mut backoff, mut since) = (false, FIRST_BACKOFF, Instant::now());
    loop {
        match inbox.recv_timeout(WATCH_INTERVAL) {
            Ok(Order::KeepAlive) => keep = true,
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return process.end(launch),
        }
        let Ok(Some(status)) = process.child.try_wait() else {
            continue;
        };
        pid.store(0, Ordering::Release);
        if !keep {
            return;
        }
        if since.elapsed() > 4 * LAST_BACKOFF {
            backoff = FIRST_BACKOFF;
        }
        tracing::error!(server = launch.name, %status, "server ended by itself, starting it again");
        process = loop {
            if !matches!(inbox.recv_timeout(backoff), Err(RecvTimeoutError::Timeout)) {
                return;
            }
            backoff = (backoff * 2).min(LAST_BACKOFF);
            match Process::spawn(launch, pid) {
                Ok(process) => break process,
                Err(error) => {
                    tracing::error!(server = launch.name, %error, "starting again failed")
                }
            }
        };
        since = Instant::now();
    }
}

/// A server process, and where the system has no parent-death signal, a shell that waits for our end.
struct Process {
    child: Child,
    lifeline: Option<Child>,
}

impl Process {
    fn spawn(launch: &Launch, pid: &AtomicU32) -> io::Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&launch.log)?;
        let mut command = launch.argv.command();
        command
            .current_dir(&launch.dir)
            .stdout(log.try_clone()?)
            .stderr(log);
        // Ctrl-C in the terminal goes to our group: services drain first, then we end the servers.
        let child = command.process_group(0).spawn()?;
        let mut process = Self {
            child,
            lifeline: None,
        };
        if !has_death_signal() {
            match lifeline(process.child.id(), launch.stop_signals[0]) {
                Ok(lifeline) => process.lifeline = Some(lifeline),
                Err(error) => {
                    process.end(launch);
                    return Err(error);
                }
            }
        }
        pid.store(process.child.id(), Ordering::Release);
        Ok(process)
    }

    fn end(mut self, launch: &Launch) {
        for name in launch.stop_signals {
            signal(self.child.id(), name);
            let asked = Instant::now();
            while asked.elapsed() < STOP_LIMIT {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                thread::sleep(Duration::from_millis(5));
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
    let wait = Argv::new("sh")
        .arg("-c")
        .arg(r#"read -r _; kill -s "$1" "$2""#)
        .arg("sh")
        .arg(signal);
    let mut command = wait.arg(pid.to_string()).command();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.process_group(0).spawn()
}
