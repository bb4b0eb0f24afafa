//! The lines to the mail server: kept open from mail to mail, and opened anew when one was closed
//! behind our back.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::address::Envelope;
use tokio::time::Instant;

use super::{Class, MailError, dialogue::Line, server::Server};

/// Servers close a line that is silent for longer, some of them sooner.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// A mail more is refused by some servers.
const MAILS_PER_LINE: u32 = 100;

pub(super) struct Smtp {
    server: Server,
    /// The last one put back is taken first, so that the others can age.
    idle: Mutex<Vec<Idle>>,
}

/// A mail whose recipient was taken.
pub(crate) struct Ready {
    line: Line,
    mails: u32,
    mail: Vec<u8>,
}

struct Idle {
    line: Line,
    mails: u32,
    since: Instant,
}

impl Smtp {
    pub fn new(server: Server) -> Self {
        Self {
            server,
            idle: Mutex::default(),
        }
    }

    /// Everything up to the mail itself. Dropping the answer takes nothing back and sends nothing.
    pub async fn prepare(&self, envelope: &Envelope, mail: Vec<u8>) -> Result<Ready, MailError> {
        let (mut line, mails) = self.begin(envelope, &mail).await?;
        match line.address(envelope).await {
            Ok(()) => Ok(Ready { line, mails, mail }),
            Err(refusal) => {
                self.put_back(line, mails).await;
                Err(refusal)
            }
        }
    }

    pub async fn hand_over(&self, ready: Ready) -> Result<(), MailError> {
        let Ready {
            mut line,
            mails,
            mail,
        } = ready;
        let outcome = line.content(&mail).await;
        self.put_back(line, mails + 1).await;
        outcome
    }

    pub async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle());
        futures::future::join_all(idle.into_iter().map(|one| one.line.close())).await;
    }

    /// A line on which the mail has begun, and how many it has carried.
    async fn begin(&self, envelope: &Envelope, mail: &[u8]) -> Result<(Line, u32), MailError> {
        while let Some(Idle {
            mut line, mails, ..
        }) = self.take()
        {
            match line.begin(envelope, mail).await {
                Ok(()) => return Ok((line, mails)),
                Err(refusal) if line.usable || refusal.class != Class::Server => {
                    self.put_back(line, mails).await;
                    return Err(refusal);
                }
                // The server had closed it meanwhile, which no mail is to suffer from.
                Err(_) => {}
            }
        }
        let mut line = Line::open(&self.server).await?;
        match line.begin(envelope, mail).await {
            Ok(()) => Ok((line, 0)),
            Err(refusal) => {
                self.put_back(line, 0).await;
                Err(refusal)
            }
        }
    }

    fn take(&self) -> Option<Idle> {
        let mut idle = self.idle();
        // Those below are older still.
        while let Some(one) = idle.pop() {
            if one.since.elapsed() < IDLE_MAX {
                return Some(one);
            }
        }
        None
    }

    async fn put_back(&self, line: Line, mails: u32) {
        if !line.usable {
            return;
        }
        if mails >= MAILS_PER_LINE {
            line.close().await;
            return;
        }
        let since = Instant::now();
        self.idle().push(Idle { line, mails, since });
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
