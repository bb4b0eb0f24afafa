//! Every setting of the gateway.

use std::{convert::Infallible, fmt, net::SocketAddr, str::FromStr, time::Duration};

use base::Secret;
use kit::{Limits, MeshKey};
use url::Url;

pub use crate::network::Proxies;

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
    /// Where user-svc answers.
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
    /// The installation's key by which services know each other: at least 32 random bytes as
    /// base64url without padding.
    #[arg(long, env = "MESH_KEY", hide_env_values = true)]
    pub mesh_key: MeshKey,
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
    /// A request may take this long, in seconds, with all the calls it causes.
    #[arg(long, env = "HANDLER_TIMEOUT_SECS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=60))]
    pub handler_timeout_secs: u64,
    /// Longest body of a request, in bytes.
    #[arg(long, env = "BODY_LIMIT_BYTES", default_value_t = 64 * 1024)]
    pub body_limit_bytes: usize,
    /// Longest body of a provider's webhook, in bytes.
    #[arg(long, env = "WEBHOOK_BODY_LIMIT_BYTES", default_value_t = 1024 * 1024)]
    pub webhook_body_limit_bytes: usize,
    /// Requests in work at once; more wait shortly, then get 503 with Retry-After.
    #[arg(long, env = "REQUESTS_MAX", default_value_t = 1024,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_max: u32,
    /// Connections open at once; one more gets 503 and is closed. Each takes a file descriptor.
    #[arg(long, env = "CONNECTIONS_MAX", default_value_t = 8192,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_max: u32,
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

    /// How strangers' connections are treated.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::edge();
        Limits {
            connections_max: self.connections_max as usize,
            drain_timeout: Duration::from_secs(self.drain_timeout_secs),
            body_timeout: usual.body_timeout.min(self.handler_timeout()),
            ..usual
        }
    }
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

/// The channel itself would take any text and fail at the first call.
fn upstream_url(text: &str) -> Result<String, &'static str> {
    let usable = Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    usable
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
