//! The connection to NATS. It may be absent at any time; nobody waits for it.

use std::time::Duration;

use async_nats::{
    Client, ConnectOptions, Event, ServerAddr,
    connection::State,
    jetstream::{self, Context, stream},
};
use base::Secret;

const STREAM: &str = "BOXOFFICE";
/// The oldest server whose consumers and streams do what their configuration says.
const MIN_SERVER: (u32, u32) = (2, 11);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RECONNECT_MAX_DELAY: Duration = Duration::from_secs(2);
const API_TIMEOUT: Duration = Duration::from_secs(5);
/// Long enough to replay a bad weekend; the outbox, not the stream, is what nothing may leave.
const STREAM_MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    #[error("NATS_URL is not a usable address")]
    Url,
    #[error("NATS is not connected")]
    NotConnected,
    #[error("nats-server {found} is too old; {}.{} or newer is needed", MIN_SERVER.0, MIN_SERVER.1)]
    TooOld { found: String },
    #[error("JetStream: {0}")]
    JetStream(String),
}

/// A connection that is made, and made again, in the background.
#[derive(Clone, Debug)]
pub struct Nats {
    client: Client,
    jetstream: Context,
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
            .connect(address)
            .await
            .map_err(|_| NatsError::Url)?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(API_TIMEOUT);
        Ok(Self { client, jetstream })
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

    /// The stream of all events, made if it is not there.
    pub(crate) async fn stream(&self) -> Result<stream::Stream, NatsError> {
        if !self.is_connected() {
            return Err(NatsError::NotConnected);
        }
        self.check_version()?;
        let config = stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![format!("{}.>", crate::EVENT_SUBJECT)],
            retention: stream::RetentionPolicy::Limits,
            max_age: STREAM_MAX_AGE,
            duplicate_window: DUPLICATE_WINDOW,
            ..stream::Config::default()
        };
        self.jetstream
            .get_or_create_stream(config)
            .await
            .map_err(|error| NatsError::JetStream(error.to_string()))
    }

    fn check_version(&self) -> Result<(), NatsError> {
        let found = self.client.server_info().version;
        let mut numbers = found
            .split(['.', '-'])
            .map_while(|part| part.parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version < MIN_SERVER {
            Err(NatsError::TooOld { found })
        } else {
            Ok(())
        }
    }
}
