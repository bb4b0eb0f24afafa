//! The connection to NATS. It may be absent at any time; nobody waits for it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{
    Client,
    connection::State,
    jetstream::{self, Context},
};
use base::Secret;
use tokio::time::Instant;

use crate::health::{Health, Trust};

/// The oldest server whose consumers and streams do what their configuration says.
const MIN_SERVER: (u32, u32) = (2, 11);
const API_TIMEOUT: Duration = Duration::from_secs(5);
/// Publishes that wait for their acknowledgement; more of them wait for a place.
const MAX_ACKS_IN_FLIGHT: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    #[error(transparent)]
    Url(#[from] hints::UrlError),
    #[error("NATS is not connected")]
    NotConnected,
    #[error("nats-server {found} is too old; {}.{} or newer is needed", MIN_SERVER.0, MIN_SERVER.1)]
    TooOld { found: String },
    #[error("the stream BOXOFFICE cannot be used: {0}; delete it, and it is made again")]
    Stream(&'static str),
    #[error("the consumer {0} cannot be used: its {1} differs; delete it, and it is made again")]
    Consumer(String, &'static str),
    #[error("JetStream: {0}")]
    JetStream(String),
}

impl NatsError {
    pub(crate) fn jetstream(error: impl std::fmt::Display) -> Self {
        Self::JetStream(error.to_string())
    }
}

/// A connection that is made, and made again, in the background.
#[derive(Clone, Debug)]
pub struct Nats {
    client: Client,
    jetstream: Context,
    health: Arc<Health>,
    /// Of the stream, in a cluster: at least so many.
    copies: usize,
}

impl Nats {
    /// Returns at once, connected or not. Messages are kept by so many servers of a cluster.
    pub async fn connect(url: &Secret, name: &str, copies: u8) -> Result<Self, NatsError> {
        let client = hints::connect(url, name).await?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(API_TIMEOUT)
            .max_ack_inflight(MAX_ACKS_IN_FLIGHT)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Self {
            client,
            jetstream,
            health: Arc::default(),
            copies: usize::from(copies),
        })
    }

    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) fn copies(&self) -> usize {
        self.copies
    }

    /// How much may be published now.
    pub(crate) fn trust(&self) -> Trust {
        if !self.is_connected() {
            return Trust::Nothing;
        }
        let connection = self.client.statistics().connects.load(Ordering::Relaxed);
        self.health.trust(connection, Instant::now())
    }

    /// Connected, and to a server that is new enough.
    pub(crate) fn check_connection(&self) -> Result<(), NatsError> {
        if !self.is_connected() {
            return Err(NatsError::NotConnected);
        }
        let found = self.client.server_info().version;
        if is_new_enough(&found) {
            Ok(())
        } else {
            Err(NatsError::TooOld { found })
        }
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= MIN_SERVER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_and_not_text() {
        for good in ["2.11.0", "2.15.1", "2.11.0-RC.1", "3.0.0"] {
            assert!(is_new_enough(good), "{good}");
        }
        for old in ["2.9.10", "2.10.29", "1.99.0", "", "two"] {
            assert!(!is_new_enough(old), "{old}");
        }
    }
}
