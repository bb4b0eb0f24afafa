//! "Look now": hints over plain NATS, and the connection that they and the events share.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_nats::{Client, ConnectOptions, Event, ServerAddr, connection::State};
use base::Secret;
use futures::StreamExt as _;
use kit::Tasks;
use tokio::sync::Notify;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RECONNECT_MAX_DELAY: Duration = Duration::from_secs(2);
/// A connection whose far end is gone without a word is given up after two of them.
const PING_INTERVAL: Duration = Duration::from_secs(15);
const RESUBSCRIBE_DELAY: Duration = Duration::from_secs(1);
/// A hint that cannot be sent at once is not sent.
const SEND_PATIENCE: Duration = Duration::from_millis(200);

/// Subjects of hints.
pub mod subject {
    /// Something of the programme has changed; ticket-svc's list of changes says what.
    pub const PROGRAMME_CHANGED: &str = "boxoffice.programme.changed";
}

#[derive(Debug, thiserror::Error)]
#[error("NATS_URL is not a usable address")]
pub struct UrlError;

/// A connection that is made, and made again, in the background. Returns at once, connected or not.
///
/// Several addresses, those of a cluster, have commas between them; any of them will do. `tls://` in an address asks for
/// TLS, and so does `?ca=`: a file with the certificates (PEM) that the server's may be signed by, instead of the
/// machine's. `?cert=` and `&key=` are ours. Credentials and files are those of the first address, for all.
pub async fn connect(url: &Secret, name: &str) -> Result<Client, UrlError> {
    let addresses = addresses(url.expose())?;
    for address in addresses.iter().filter(|one| believes_anybody(one)) {
        tracing::warn!(
            host = address.host(),
            "what is sent to NATS travels in the clear, and who answers is not verified; tls:// does that"
        );
    }
    let first = &addresses[0];
    let mut options = with_certificates(ConnectOptions::new(), first)?;
    // The library takes no credentials from the address by itself.
    if let (Some(user), Some(password)) = (first.username(), first.password()) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    let servers = addresses.into_iter().map(without_credentials);
    let servers: Vec<ServerAddr> = servers.collect::<Result<_, _>>()?;
    options
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
        .connect(servers)
        .await
        .map_err(|_| UrlError)
}

/// At least one. What only the first may say is refused in the others, unless they say the same.
fn addresses(urls: &str) -> Result<Vec<ServerAddr>, UrlError> {
    let read = |url: &str| match url.trim() {
        // The client takes it for a server without a name.
        "" => Err(UrlError),
        url => url.parse::<ServerAddr>().map_err(|_| UrlError),
    };
    let addresses: Vec<ServerAddr> = urls.split(',').map(read).collect::<Result<_, _>>()?;
    let says = |address: &ServerAddr| {
        let url = address.clone().into_inner();
        let credentials = address.username().zip(address.password());
        let credentials = credentials.map(|(user, word)| (user.to_owned(), word.to_owned()));
        (credentials, url.query().map(ToOwned::to_owned))
    };
    let (credentials, files) = says(&addresses[0]);
    let agree = addresses.iter().map(says).all(|(other, others_files)| {
        (other.is_none() || other == credentials)
            && (others_files.is_none() || others_files == files)
    });
    agree.then_some(addresses).ok_or(UrlError)
}

/// Without TLS, and elsewhere.
fn believes_anybody(address: &ServerAddr) -> bool {
    let url = address.clone().into_inner();
    // With a file of certificates, TLS is asked for under any scheme.
    let names_files = url.query_pairs().next().is_some();
    let encrypted = names_files || matches!(address.scheme(), "tls" | "wss");
    !encrypted && !kit::is_this_machine(address.host())
}

/// The files are read at every attempt to connect, so that they may change.
fn with_certificates(
    mut options: ConnectOptions,
    address: &ServerAddr,
) -> Result<ConnectOptions, UrlError> {
    let url = address.clone().into_inner();
    let (mut cert, mut key) = (None, None);
    for (name, path) in url.query_pairs() {
        let path = PathBuf::from(path.as_ref());
        match name.as_ref() {
            "ca" => options = options.add_root_certificates(path).require_tls(true),
            "cert" => cert = Some(path),
            "key" => key = Some(path),
            _ => return Err(UrlError),
        }
    }
    match (cert, key) {
        (None, None) => Ok(options),
        (Some(cert), Some(key)) => Ok(options.add_client_certificate(cert, key).require_tls(true)),
        _ => Err(UrlError),
    }
}

/// The library writes the whole address into its log; the credentials travel beside it.
fn without_credentials(address: ServerAddr) -> Result<ServerAddr, UrlError> {
    let mut url = address.into_inner();
    url.set_query(None);
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_err(|()| UrlError)?;
    ServerAddr::from_url(url).map_err(|_| UrlError)
}

/// Sends and hears hints. It may be without a connection at any time; nobody waits for it.
#[derive(Clone, Debug)]
pub struct Hints(Client);

impl Hints {
    pub async fn connect(url: &Secret, name: &str) -> Result<Self, UrlError> {
        Ok(Self(connect(url, name).await?))
    }

    pub fn is_connected(&self) -> bool {
        self.0.connection_state() == State::Connected
    }

    /// Best effort. While NATS is away the hint is dropped: it would tell nothing new later.
    pub async fn send(&self, subject: &'static str) {
        if !self.is_connected() {
            return;
        }
        let sent = self.0.publish(subject, Default::default());
        if !matches!(tokio::time::timeout(SEND_PATIENCE, sent).await, Ok(Ok(()))) {
            tracing::debug!(subject, "a hint was not sent");
        }
    }

    /// Wakes `heard` on every hint until the tasks end, and when it begins to listen: what was said
    /// before was missed. What is said while the connection is lost is missed without a word.
    pub fn listen(&self, tasks: &Tasks, subject: &'static str, heard: Arc<Notify>) {
        let (client, shutdown) = (self.0.clone(), tasks.shutdown().clone());
        tasks.spawn(async move {
            tokio::select! {
                () = shutdown.begun() => {}
                () = listen(&client, subject, &heard) => {}
            }
        });
    }
}

async fn listen(client: &Client, subject: &'static str, heard: &Notify) {
    loop {
        match client.subscribe(subject).await {
            Ok(mut hints) => {
                heard.notify_one();
                while hints.next().await.is_some() {
                    heard.notify_one();
                }
            }
            Err(error) => tracing::warn!(%error, subject, "cannot listen to hints"),
        }
        tokio::time::sleep(RESUBSCRIBE_DELAY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_the_address_are_known_ones() {
        let read = |url: &str| {
            let address: ServerAddr = url.parse().unwrap();
            with_certificates(ConnectOptions::new(), &address)
        };
        for good in ["", "?ca=/a", "?cert=/a&key=/b", "?ca=/a&cert=/b&key=/c"] {
            assert!(read(&format!("tls://nats:4222{good}")).is_ok(), "{good}");
        }
        for bad in ["?ca_file=/a", "?cert=/a", "?key=/a&ca=/b"] {
            assert!(read(&format!("tls://nats:4222{bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_servers_of_a_cluster_share_what_proves_us() {
        for good in [
            "nats://u:p@a:4222",
            "nats://u:p@a:4222,nats://b:4222, nats://c:4222",
            "tls://u:p@a:4222?ca=/ca,tls://u:p@b:4222?ca=/ca",
        ] {
            let read = addresses(good).unwrap();
            assert_eq!(read.len(), good.split(',').count(), "{good}");
        }
        for bad in [
            "",
            "nats://u:p@a:4222,",
            "nats://u:p@a:4222,nats://u:other@b:4222",
            "nats://a:4222,nats://u:p@b:4222",
            "tls://a:4222?ca=/ca,tls://b:4222?ca=/other",
        ] {
            assert!(addresses(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_address_that_is_logged_holds_no_password() {
        let address: ServerAddr = "nats://box:canary@127.0.0.1:4222?ca=/etc/canary"
            .parse()
            .unwrap();
        let bare = without_credentials(address).unwrap();
        assert!(!format!("{bare:?}").contains("canary"), "{bare:?}");
        assert_eq!((bare.host(), bare.port()), ("127.0.0.1", 4222));
    }

    #[test]
    fn who_believes_anybody_is_warned() {
        let believes = |url: &str| believes_anybody(&url.parse().unwrap());
        for here in [
            "nats://127.0.0.1:4222",
            "nats://localhost",
            "nats://[::1]:4222",
        ] {
            assert!(!believes(here), "{here}");
        }
        for safe in ["tls://u:p@nats:4222", "nats://nats:4222?ca=/ca.crt"] {
            assert!(!believes(safe), "{safe}");
        }
        for warned in [
            "nats://u:p@nats:4222",
            "nats://10.0.0.5:4222",
            "nats.example.org",
        ] {
            assert!(believes(warned), "{warned}");
        }
    }
}
