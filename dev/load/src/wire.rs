//! The least of an HTTP/1.1 client: the generator shares the machine with what it measures, so each of its microseconds
//! is one that the measured side does not get. One connection, one request at a time, bodies with a length.

use std::{io, net::SocketAddr};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An answer that is longer makes it grow.
const BUFFER_BYTES: usize = 16 * 1024;

/// One kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// What came back; the body lies in the connection until the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    body_at: usize,
    body_bytes: usize,
}

impl Connection {
    pub async fn open(addr: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(addr).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; BUFFER_BYTES],
            filled: 0,
        })
    }

    /// Sends a complete request and reads the complete answer.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let (status, body_at, body_bytes) = loop {
            self.fill().await?;
            if let Some(head) = Head::read(&self.buffer[..self.filled])? {
                break (head.status, head.bytes, head.body_bytes);
            }
        };
        let whole = body_at + body_bytes;
        if self.buffer.len() < whole {
            self.buffer.resize(whole, 0);
        }
        while self.filled < whole {
            self.fill().await?;
        }
        Ok(Answer {
            status,
            body_at,
            body_bytes,
        })
    }

    pub fn head(&self, answer: Answer) -> &[u8] {
        &self.buffer[..answer.body_at]
    }

    pub fn body(&self, answer: Answer) -> &[u8] {
        &self.buffer[answer.body_at..answer.body_at + answer.body_bytes]
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        ensure!(
            self.filled < self.buffer.len(),
            "the head of an answer does not fit"
        );
        let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
        if read == 0 {
            bail!(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        self.filled += read;
        Ok(())
    }
}

struct Head {
    status: u16,
    /// Up to the body.
    bytes: usize,
    body_bytes: usize,
}

/// The value of a header in a head.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}

impl Head {
    /// None while it is not complete.
    fn read(received: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&received[..end]).context("a head that is no text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status: u16 = status.unwrap_or_default().parse().context("a status")?;
        let mut body_bytes = None;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                body_bytes = Some(value.trim().parse().context("a length")?);
            }
        }
        let without_body = status == 304 || status == 204;
        match body_bytes {
            Some(_) if without_body => body_bytes = Some(0),
            None if without_body => body_bytes = Some(0),
            _ => {}
        }
        Ok(Some(Self {
            status,
            bytes: end + 4,
            body_bytes: body_bytes.context("an answer without a length")?,
        }))
    }
}

/// A request with a JSON body, ready to send.
pub fn post(host: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    with_body(("POST", host, path), "application/json", headers, body)
}

/// Method, host and path, and a body of some kind.
pub fn with_body(
    (method, host, path): (&str, &str, &str),
    kind: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Vec<u8> {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        line(&mut request, name, value);
    }
    request.push_str("\r\n");
    request.push_str(body);
    request.into_bytes()
}

fn line(request: &mut String, name: &str, value: &str) {
    request.push_str(name);
    request.push_str(": ");
    request.push_str(value);
    request.push_str("\r\n");
}

pub fn get(host: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        line(&mut request, name, value);
    }
    request.push_str("\r\n");
    request.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        assert!(
            Head::read(b"HTTP/1.1 200 OK\r\ncontent-")
                .unwrap()
                .is_none()
        );
        let head = Head::read(b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        let head = head.unwrap();
        assert_eq!((head.status, head.body_bytes), (201, 3));
        let none = Head::read(b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n").unwrap();
        assert_eq!(none.unwrap().body_bytes, 0);
        assert!(Head::read(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
