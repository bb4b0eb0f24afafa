//! What a connection is doing, and how long it may go on doing it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::Instant,
};

use crate::{Limits, Protocol};

/// The preface of HTTP/2 with the head of the SETTINGS frame that must follow.
const HTTP2_HANDSHAKE_BYTES: usize = 24 + 9;
/// How long a connection without a request may go on once it was asked to end.
const LINGER: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nothing has come yet.
    Silent(Instant),
    /// The headers of a request are coming; HTTP/2: the handshake.
    Head(Instant),
    /// So many requests are being answered.
    Busy(usize),
    Idle(Instant),
}

pub(crate) struct Activity {
    protocol: Protocol,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    phase: Phase,
    received_bytes: usize,
    /// Since when the peer takes nothing of what is there for it.
    stalled_since: Option<Instant>,
}

impl Activity {
    pub(crate) fn new(protocol: Protocol) -> Self {
        let state = State {
            phase: Phase::Silent(Instant::now()),
            received_bytes: 0,
            stalled_since: None,
        };
        Self {
            protocol,
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// Resolves when the connection has used up its time.
    pub(crate) async fn expired(&self, limits: &Limits, leaving_since: Option<Instant>) {
        loop {
            let deadline = self.deadline(limits, leaving_since);
            let over = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return,
                () = self.changed.notified() => {}
            }
        }
    }

    fn deadline(&self, limits: &Limits, leaving_since: Option<Instant>) -> Option<Instant> {
        let (phase, stalled_since) = {
            let state = self.lock();
            (state.phase, state.stalled_since)
        };
        let http1 = self.protocol == Protocol::Http1;
        if let Some(since) = stalled_since.filter(|_| http1) {
            return Some(since + limits.write_timeout);
        }
        match (phase, leaving_since) {
            (Phase::Busy(_), _) => None,
            (Phase::Silent(_), Some(leaving)) => Some(leaving),
            (Phase::Idle(since), Some(leaving)) => Some(since.max(leaving) + LINGER),
            // Of HTTP/2 it is the handshake: no request has begun.
            (Phase::Head(_), Some(leaving)) if !http1 => Some(leaving + LINGER),
            (Phase::Silent(since), None) => Some(since + limits.first_byte_timeout),
            (Phase::Head(since), _) => Some(since + limits.header_timeout),
            (Phase::Idle(since), None) => http1.then(|| since + limits.idle_timeout),
        }
    }

    fn received(&self, bytes: usize) {
        let mut state = self.lock();
        let phase = state.phase;
        let total = state.received_bytes.saturating_add(bytes);
        let now = Instant::now();
        let next = match (self.protocol, phase) {
            (Protocol::Http2, Phase::Silent(_) | Phase::Head(_))
                if total >= HTTP2_HANDSHAKE_BYTES =>
            {
                Phase::Idle(now)
            }
            (_, Phase::Silent(_)) | (Protocol::Http1, Phase::Idle(_)) => Phase::Head(now),
            (_, phase) => phase,
        };
        (state.phase, state.received_bytes) = (next, total);
        drop(state);
        if !matches!(phase, Phase::Busy(_)) {
            self.changed.notify_one();
        }
    }

    /// A request is being answered for as long as the result lives.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        let mut state = self.lock();
        state.phase = match state.phase {
            Phase::Busy(requests) => Phase::Busy(requests + 1),
            _ => Phase::Busy(1),
        };
        drop(state);
        self.changed.notify_one();
        Busy(self.clone())
    }

    fn end(&self) {
        let mut state = self.lock();
        if let Phase::Busy(requests) = state.phase {
            state.phase = match requests {
                0 | 1 => Phase::Idle(Instant::now()),
                _ => Phase::Busy(requests - 1),
            };
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The peer takes nothing, or something again.
    fn stalled(&self, stalled: bool) {
        self.lock().stalled_since = stalled.then(Instant::now);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A socket that reports what it receives, and when nothing of what is sent is taken.
pub(crate) struct Watched<IO> {
    stream: IO,
    activity: Arc<Activity>,
    stalled: bool,
}

impl<IO> Watched<IO> {
    pub(crate) fn new(stream: IO, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            activity,
            stalled: false,
        }
    }

    fn wrote(&mut self, outcome: &Poll<io::Result<usize>>) {
        if outcome.is_pending() != self.stalled {
            self.stalled = !self.stalled;
            self.activity.stalled(self.stalled);
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let bytes = buffer.filled().len() - before;
        if bytes > 0 {
            self.activity.received(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
