use std::time::Duration;

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

/// An SMTP server that keeps what it gets.
#[derive(Debug)]
pub struct Smtp {}

impl Smtp {
    /// Listens on a free port of 127.0.0.1 until the value is dropped.
    pub async fn start() -> Self {
        unimplemented!()
    }

    /// `smtp://127.0.0.1:port`, as `SMTP_URL` takes it.
    pub fn url(&self) -> String {
        unimplemented!()
    }

    /// Every message accepted so far, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        unimplemented!()
    }

    /// Waits until at least `count` messages have arrived and returns all of them. Panics after `timeout`.
    pub async fn wait_for(&self, count: usize, timeout: Duration) -> Vec<Message> {
        let _ = (count, timeout);
        unimplemented!()
    }

    /// Refuses the next `times` messages at end of DATA with this code (451 temporary, 550 final).
    pub fn refuse_next(&self, code: u16, times: usize) {
        let _ = (code, times);
        unimplemented!()
    }
}
