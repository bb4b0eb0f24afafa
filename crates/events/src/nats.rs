//! The connection to NATS. It may be absent at any time; nobody waits for it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, Event, ServerAddr,
    connection::State,
    jetstream::{self, Context},
};
use base::Secret;
use tokio::time::Instant;

use crate::health::{Health, Trust};

/// The oldest server whose consumers and streams do what their configuration says.
const MIN_SERVER: (u32, u32) = (2, 11);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RECONNECT_MAX_DELAY: Duration = Duration::from_secs(2);
/// A connection whose far end is gone without a word is given up after two of them.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const API_TIMEOUT: Duration = Duration::from_secs(5);
/// Publishes that wait for their acknowledgement; more of them wait for a place.
const MAX_ACKS_IN_FLIGHT: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    #[error("NATS_URL is not a usable address")]
    Url,
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

/// The library writes the whole address into its log; the credentials travel beside it.
fn without_credentials(address: ServerAddr) -> Result<ServerAddr, NatsError> {
    let mut url = address.into_inner();
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_err(|()| NatsError::Url)?;
    ServerAddr::from_url(url).map_err(|_| NatsError::Url)
}

/// A connection that is made, and made again, in the background.
#[derive(Clone, Debug)]
pub struct Nats {
    client: Client,
    jetstream: Context,
    health: Arc<Health>,
}

impl Nats {
    /// Returns at once, connected or not.
    pub async fn connect(url: &Secret, name: &str) -> Result<Self, NatsError> {
        let address: ServerAddr = url.expose().parse().map_err(|_| NatsError::Url)?;
        let mut options = ConnectOptions::new();
        // The library takes no credentials from the address by itself.
        if let (Some(user), Some(password)) = (address.username(), address.password()) {
            options = options.user_and_password(user.to_owned(), password.to_owned());
        }
        let client = options
            .name(name)
            .retry_on_initial_connect()
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_INTERVAL)
            .reconnect_delay_callback(|attempt| {
                let exponent = u32::try_from(attempt.min(6)).unwrap_or(6);
                (Duration::from_millis(50) * 2_u32.pow(exponent)).min(RECONNECT_MAX_DELAY)
            })
            .event_callback(|event| async move {
                match event {
                    Event::Connected | Event::Disconnected => tracing::info!(%event, "NATS"),
                    // Each failed attempt is one.
                    _ => tracing::debug!(%event, "NATS"),
                }
            })
            .connect(without_credentials(address)?)
            .await
            .map_err(|_| NatsError::Url)?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(API_TIMEOUT)
            .max_ack_inflight(MAX_ACKS_IN_FLIGHT)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Self {
            client,
            jetstream,
            health: Arc::default(),
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

    #[test]
    fn the_address_that_is_logged_holds_no_password() {
        let address: ServerAddr = "nats://box:canary@127.0.0.1:4222".parse().unwrap();
        let bare = without_credentials(address).unwrap();
        assert!(!format!("{bare:?}").contains("canary"), "{bare:?}");
        assert_eq!((bare.host(), bare.port()), ("127.0.0.1", 4222));
    }
}
