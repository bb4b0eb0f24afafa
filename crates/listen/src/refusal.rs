//! One connection too many.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

use crate::Protocol;

/// Over this many at once the socket is just closed.
const POLITE_MAX: usize = 256;
const POLITE_TIMEOUT: Duration = Duration::from_secs(1);
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
    content-length: 0\r\nconnection: close\r\n\r\n";

pub(crate) struct Refusals {
    protocol: Protocol,
    polite: Arc<Semaphore>,
}

impl Refusals {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            polite: Arc::new(Semaphore::new(POLITE_MAX)),
        }
    }

    /// Answers 503 and closes. HTTP/2 peers are members, who try again by themselves.
    pub(crate) fn refuse(&self, mut stream: TcpStream) {
        if self.protocol == Protocol::Http2 {
            return;
        }
        let Ok(place) = self.polite.clone().try_acquire_owned() else {
            return;
        };
        let answer = async move {
            stream.write_all(ANSWER).await?;
            stream.shutdown().await?;
            // A socket closed with unread bytes resets, and the answer is lost on the way.
            let mut unread = [0; 1024];
            while stream.read(&mut unread).await? > 0 {}
            std::io::Result::Ok(())
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "short, capped in number and in time, and nobody's loss"
        )]
        tokio::spawn(async move {
            // Whether the answer arrived concerns nobody but the peer.
            drop(tokio::time::timeout(POLITE_TIMEOUT, answer).await);
            drop(place);
        });
    }
}
