//! Every setting of the gateway.

use std::{convert::Infallible, fmt, net::SocketAddr, str::FromStr, time::Duration};

use base::Secret;
use kit::{Limits, MeshSettings};
use url::Url;

pub use crate::{cors::Cors, images::Place, network::Proxies, rates::RateLimits};

use crate::{images::S3, rates::Caps};

/// The REST edge and the shop. It owns no data: every answer comes from the four services.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "gateway", version)]
pub struct Config {
    /// Where HTTP is served.
    #[arg(long, env = "HTTP_ADDR", default_value = "127.0.0.1:8080")]
    pub http_addr: SocketAddr,
    /// The address that guests see, in links, cookies and error types. With https, cookies are
    /// Secure and bound to the host.
    #[arg(long, env = "PUBLIC_URL", default_value = "http://127.0.0.1:8080")]
    pub public_url: PublicUrl,
    /// Where user-svc answers: an address, or those of its replicas with commas between them. Calls go to every
    /// address that a name has, in turn; so it is with the other services.
    #[arg(long, env = "USER_SVC_URL", default_value = "http://127.0.0.1:50051",
          value_parser = upstream_url)]
    pub user_svc_url: String,
    /// Where ticket-svc answers.
    #[arg(long, env = "TICKET_SVC_URL", default_value = "http://127.0.0.1:50052",
          value_parser = upstream_url)]
    pub ticket_svc_url: String,
    /// Where payment-svc answers.
    #[arg(
        long,
        env = "PAYMENT_SVC_URL",
        default_value = "http://127.0.0.1:50053",
        value_parser = upstream_url
    )]
    pub payment_svc_url: String,
    /// Where notify-svc answers.
    #[arg(long, env = "NOTIFY_SVC_URL", default_value = "http://127.0.0.1:50054",
          value_parser = upstream_url)]
    pub notify_svc_url: String,
    #[command(flatten)]
    pub mesh: MeshSettings,
    /// `nats://user:password@host:port`, for hints that the programme has changed. Without it changes
    /// are seen within a second or two.
    #[arg(long, env = "NATS_URL", hide_env_values = true, value_parser = secret)]
    pub nats_url: Option<Secret>,
    /// While ticket-svc is away the programme is shown as it was last known, with its age, for this
    /// long, in seconds.
    #[arg(long, env = "PROGRAMME_STALE_MAX_SECS", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(5..=86_400))]
    pub programme_stale_max_secs: u64,
    /// Guests who watch what is left of a concert at once; more are refused and ask now and then.
    #[arg(long, env = "STREAMS_MAX", default_value_t = 4096,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub streams_max: u32,
    /// So many of them from one address. 0: no limit, for a gateway behind a proxy, where all guests
    /// come from one.
    #[arg(long, env = "STREAMS_PER_ADDRESS_MAX", default_value_t = 64)]
    pub streams_per_address_max: u32,
    /// Proxies in front of the gateway, whose `X-Forwarded-For` is believed: addresses and ranges,
    /// separated by commas. Without them every guest behind a proxy counts as one network.
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: Proxies,
    /// Links to orders, holds and tickets that lead nowhere, opened from one network within a minute;
    /// it then waits. 0: no limit.
    #[arg(long, env = "GUESSES_PER_NETWORK_MAX", default_value_t = 60)]
    pub guesses_per_network_max: u32,
    /// How often one network may ask, by class of route: `on`, `off`, or other paces for some classes, at
    /// once and a minute: `hold=60/120,login=10/10`.
    #[arg(long, env = "RATE_LIMITS", default_value = "on")]
    pub rate_limits: RateLimits,
    /// Tickets that one network may set aside within ten minutes, less what it releases. 0: no limit.
    #[arg(long, env = "HELD_TICKETS_PER_NETWORK_MAX", default_value_t = 500)]
    pub held_tickets_per_network_max: u32,
    /// Tickets of orders that wait for a bank transfer, of what one network orders within a day. 0: no limit.
    #[arg(long, env = "UNPAID_TICKETS_PER_NETWORK_MAX", default_value_t = 200)]
    pub unpaid_tickets_per_network_max: u32,
    /// Mails to one address within an hour that are caused by forms anybody can fill in. 0: no limit.
    #[arg(long, env = "MAILS_PER_ADDRESS_MAX", default_value_t = 20)]
    pub mails_per_address_max: u32,
    /// Other sites whose scripts may call the API: origins, separated by commas.
    #[arg(long, env = "CORS_ORIGINS", default_value = "")]
    pub cors_origins: Cors,
    /// Whom to tell about a weakness, for `/.well-known/security.txt`: addresses such as
    /// `mailto:security@example.org` or `https://example.org/report`, separated by commas. Without one
    /// there is no such file.
    #[arg(long, env = "SECURITY_CONTACTS", default_value = "")]
    pub security_contacts: Contacts,
    /// A request may take this long, in seconds, with all the calls it causes.
    #[arg(long, env = "HANDLER_TIMEOUT_SECS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=60))]
    pub handler_timeout_secs: u64,
    /// Second tries of calls that surely did nothing, per hundred calls. 0: none.
    #[arg(long, env = "RETRIES_PERCENT", default_value_t = 10,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub retries_percent: u8,
    /// A service that does not answer so many of a hundred calls is not called for two seconds, and then by one at a
    /// time until that is answered. 0: it is always called.
    #[arg(long, env = "BREAKER_FAILED_PERCENT", default_value_t = 80,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub breaker_failed_percent: u8,
    /// Longest body of a request, in bytes.
    #[arg(long, env = "BODY_LIMIT_BYTES", default_value_t = 64 * 1024)]
    pub body_limit_bytes: usize,
    /// Longest body of a provider's webhook, in bytes.
    #[arg(long, env = "WEBHOOK_BODY_LIMIT_BYTES", default_value_t = 1024 * 1024)]
    pub webhook_body_limit_bytes: usize,
    /// Where pictures of concerts are kept: a folder, or `s3://bucket/prefix` where there is more than one
    /// gateway. Without it none can be uploaded.
    #[arg(long, env = "IMAGES_STORE")]
    pub images_store: Option<Place>,
    /// Where the bucket is, if not at Amazon: an address such as `https://s3.example.org`.
    #[arg(long, env = "IMAGES_S3_ENDPOINT")]
    pub images_s3_endpoint: Option<String>,
    /// The region of the bucket.
    #[arg(long, env = "IMAGES_S3_REGION", default_value = "us-east-1")]
    pub images_s3_region: String,
    /// The key that may read and write the bucket.
    #[arg(long, env = "IMAGES_S3_ACCESS_KEY_ID", hide_env_values = true, value_parser = secret)]
    pub images_s3_access_key_id: Option<Secret>,
    /// Its secret.
    #[arg(long, env = "IMAGES_S3_SECRET_ACCESS_KEY", hide_env_values = true, value_parser = secret)]
    pub images_s3_secret_access_key: Option<Secret>,
    /// Requests in work at once; more wait shortly, then get 503 with Retry-After.
    #[arg(long, env = "REQUESTS_MAX", default_value_t = 1024,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_max: u32,
    /// So many more at once of guests who have tickets set aside or bought, and of payment providers. Half of
    /// them are for secrets that this gateway has not seen to be right.
    #[arg(long, env = "REQUESTS_RESERVED", default_value_t = 256,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_reserved: u32,
    /// Connections open at once; one more gets 503 and is closed. Each takes a file descriptor.
    #[arg(long, env = "CONNECTIONS_MAX", default_value_t = 8192,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_max: u32,
    /// So many of them from one address, or one /56 of IPv6. 0: no limit, for a gateway behind a proxy,
    /// where all guests come from one.
    #[arg(long, env = "CONNECTIONS_PER_ADDRESS_MAX", default_value_t = 4096)]
    pub connections_per_address_max: u32,
    /// How long /readyz says no before connections are drained, in seconds: as long as a load
    /// balancer takes to notice.
    #[arg(long, env = "READINESS_OFF_SECS", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(0..=8))]
    pub readiness_off_secs: u64,
    /// How long open requests may go on after the shutdown began, in seconds.
    #[arg(long, env = "DRAIN_TIMEOUT_SECS", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(0..=30))]
    pub drain_timeout_secs: u64,
    #[command(flatten)]
    pub telemetry: kit::telemetry::Settings,
}

impl Config {
    pub(crate) fn handler_timeout(&self) -> Duration {
        Duration::from_secs(self.handler_timeout_secs)
    }

    pub(crate) fn readiness_off(&self) -> Duration {
        Duration::from_secs(self.readiness_off_secs)
    }

    pub(crate) fn programme_stale_max(&self) -> Duration {
        Duration::from_secs(self.programme_stale_max_secs)
    }

    pub(crate) fn caps(&self) -> Caps {
        Caps {
            held_tickets: self.held_tickets_per_network_max,
            unpaid_tickets: self.unpaid_tickets_per_network_max,
            mails: self.mails_per_address_max,
        }
    }

    pub(crate) fn s3(&self) -> S3 {
        S3 {
            endpoint: self.images_s3_endpoint.clone(),
            region: self.images_s3_region.clone(),
            access_key_id: self.images_s3_access_key_id.clone(),
            secret_access_key: self.images_s3_secret_access_key.clone(),
        }
    }

    /// How strangers' connections are treated.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::edge();
        Limits {
            connections_max: self.connections_max as usize,
            connections_per_address_max: self.connections_per_address_max as usize,
            drain_timeout: Duration::from_secs(self.drain_timeout_secs),
            body_timeout: usual.body_timeout.min(self.handler_timeout()),
            ..usual
        }
    }
}

/// Where a report of a weakness may go (RFC 9116).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contacts(pub Vec<String>);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be mailto:, https: or tel: addresses, separated by commas")]
pub struct ContactsError;

impl FromStr for Contacts {
    type Err = ContactsError;

    fn from_str(text: &str) -> Result<Self, ContactsError> {
        let parts = text.split(',').map(str::trim);
        let contacts = parts.filter(|part| !part.is_empty()).map(|part| {
            let url = Url::parse(part).ok()?;
            let known = matches!(url.scheme(), "mailto" | "https" | "tel");
            (known && !url.path().is_empty()).then(|| url.to_string())
        });
        contacts
            .collect::<Option<_>>()
            .map(Self)
            .ok_or(ContactsError)
    }
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

/// The channel itself would take any text and fail at the first call.
fn upstream_url(text: &str) -> Result<String, &'static str> {
    let is_address = |text: &str| {
        Url::parse(text.trim())
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    text.split(',')
        .all(is_address)
        .then(|| text.to_owned())
        .ok_or("must be an address such as http://127.0.0.1:50051")
}

/// An http(s) address without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    origin: String,
    https: bool,
}

/// The text is no address that a browser could open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be an http or https address such as https://tickets.example.org")]
pub struct PublicUrlError;

impl PublicUrl {
    /// The address of a path, which begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Scheme, host and port: what a browser compares.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub fn is_https(&self) -> bool {
        self.https
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let url = Url::parse(text).map_err(|_| PublicUrlError)?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
            return Err(PublicUrlError);
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            origin: url.origin().ascii_serialization(),
            https: url.scheme() == "https",
        })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_are_addresses() {
        assert!(upstream_url("http://ticket-svc:50052").is_ok());
        for bad in ["", "not_a_url", "ticket-svc:50052", "ftp://x", "http://"] {
            assert!(upstream_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn contacts_are_addresses() {
        let contacts: Contacts = "mailto:security@example.org, https://example.org/report"
            .parse()
            .unwrap();
        assert_eq!(contacts.0.len(), 2);
        assert_eq!("".parse(), Ok(Contacts::default()));
        for bad in [
            "security@example.org",
            "http://example.org",
            "mailto:",
            "mailto:a@b.c\nExpires: x",
        ] {
            let contacts = bad.parse::<Contacts>();
            let clean = contacts.as_ref().is_ok_and(|all| !all.0[0].contains('\n'));
            assert!(contacts.is_err() || clean, "{bad}: {contacts:?}");
        }
    }

    #[test]
    fn public_urls() {
        let url: PublicUrl = "https://tickets.example.org/".parse().unwrap();
        assert_eq!(
            url.join("/orders/1"),
            "https://tickets.example.org/orders/1"
        );
        assert!(url.is_https());
        let url: PublicUrl = "http://127.0.0.1:8080".parse().unwrap();
        assert_eq!(
            (url.origin(), url.is_https()),
            ("http://127.0.0.1:8080", false)
        );
        for bad in [
            "",
            "tickets.example.org",
            "ftp://x.org",
            "https://x.org/?a=1",
            "https://u@x.org",
        ] {
            assert_eq!(bad.parse::<PublicUrl>(), Err(PublicUrlError), "{bad}");
        }
    }
}
