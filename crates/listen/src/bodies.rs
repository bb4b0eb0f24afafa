//! Bodies that keep time: one that must come in time, and one that keeps its connection busy.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::{BoxError, activity::Busy};

/// The body of a request. Reading it fails once its time is over.
#[derive(Debug)]
pub struct RequestBody {
    inner: Incoming,
    time: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming, timeout: Option<Duration>) -> Self {
        let timeout = timeout.filter(|_| !inner.is_end_stream());
        Self {
            inner,
            time: timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout))),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let over = self
            .time
            .as_mut()
            .is_some_and(|time| time.as_mut().poll(cx).is_ready());
        if over {
            return Poll::Ready(Some(Err("the body did not come in time".into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of an answer: while it is being sent, the connection is busy.
pub(crate) struct Answer<B> {
    inner: B,
    _busy: Busy,
}

impl<B> Answer<B> {
    pub(crate) fn new(inner: B, busy: Busy) -> Self {
        Self { inner, _busy: busy }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
