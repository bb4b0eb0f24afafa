//! Strangers who keep connections busy: half of them send a head byte by byte, the others a body. Whoever is cut off
//! comes again.

use std::{net::SocketAddr, time::Duration};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet, time::sleep};

/// Between two bytes.
const PAUSE: Duration = Duration::from_secs(1);
const HEAD: &[u8] = b"GET /api/v1/events HTTP/1.1\r\nhost: bench\r\nx-slow: ";
const BODY: &[u8] =
    b"POST /api/v1/holds HTTP/1.1\r\nhost: bench\r\nidempotency-key: 0123456789abcdef\r\n\
    content-type: application/json\r\ncontent-length: 60000\r\n\r\n{";

/// They go on until this is dropped.
pub struct SlowSenders(#[expect(dead_code, reason = "held, not used")] JoinSet<()>);

impl SlowSenders {
    pub fn begin(http: SocketAddr, count: usize) -> Self {
        let mut senders = JoinSet::new();
        for number in 0..count {
            // Not all in the same moment.
            let share = PAUSE.mul_f64(number as f64 / count as f64);
            senders.spawn(async move {
                sleep(share).await;
                loop {
                    let begin = if number % 2 == 0 { HEAD } else { BODY };
                    // An end of the connection is what they are here for.
                    let _ = send(http, begin).await;
                    sleep(PAUSE).await;
                }
            });
        }
        Self(senders)
    }
}

async fn send(http: SocketAddr, begin: &[u8]) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(http).await?;
    stream.write_all(begin).await?;
    loop {
        sleep(PAUSE).await;
        stream.write_all(b"a").await?;
    }
}
