//! Every setting, from flags or the environment, parsed before a port is bound.

use std::{net::SocketAddr, str::FromStr};

use base::{KeyRing, Sealer, Secret};
use clap::ArgAction;
use db::DbConfig;
use kit::MeshSettings;
use url::Url;

const SETUP_TOKEN_MIN_CHARS: usize = 20;

/// Accounts of admins, their sessions, and the keys that sign access tokens.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "user-svc", version)]
pub struct Config {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where the gRPC server listens.
    #[arg(long, env = "GRPC_ADDR", default_value = "127.0.0.1:50051")]
    pub grpc_addr: SocketAddr,

    /// The service's database: postgres://user:password@host:port/users.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub database_url: Secret,

    /// Sessions with the database at most; three per core if unset.
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", value_parser = clap::value_parser!(u32).range(1..))]
    pub database_max_connections: Option<u32>,

    #[command(flatten)]
    pub mesh: MeshSettings,

    /// `nats://user:password@host:port`, or those of a cluster with commas between them: mails of ours travel by it. Signing in does not depend on it.
    #[arg(long, env = "NATS_URL", value_parser = secret, hide_env_values = true)]
    pub nats_url: Secret,

    /// So many servers of a NATS cluster keep a copy of what travels between services: 3 where there are three. More
    /// that an operator has set are left alone.
    #[arg(long, env = "NATS_STREAM_COPIES", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=5))]
    pub nats_stream_copies: u8,

    /// Where notify-svc answers, which writes the mails.
    #[arg(long, env = "NOTIFY_SVC_URL", default_value = "http://127.0.0.1:50054")]
    pub notify_svc_url: String,

    /// Where the dashboard is reached; the start of every link in a mail.
    #[arg(long, env = "PUBLIC_URL", default_value = "http://127.0.0.1:8080")]
    pub public_url: PublicUrl,

    /// Seals the links inside messages; notify-svc has the same key. 32 random bytes as base64url.
    #[arg(long, env = "LINK_SEAL_KEY", hide_env_values = true)]
    pub link_seal_key: Sealer,

    /// Seals the private signing keys in the database: 32 random bytes as base64url.
    #[arg(long, env = "SIGNING_SEAL_KEY", hide_env_values = true)]
    pub signing_seal_key: Sealer,

    /// Mixed into every password before it is hashed: id:key[,id:key…]; the first one is for new
    /// passwords, the others keep older ones valid. Without it no password can be verified.
    #[arg(long, env = "PASSWORD_PEPPER", hide_env_values = true)]
    pub password_pepper: KeyRing,

    /// The one-time token that makes the first superadmin, 20 characters or more. Unset: setup is
    /// closed.
    #[arg(long, env = "SETUP_TOKEN", hide_env_values = true, value_parser = setup_token)]
    pub setup_token: Option<Secret>,

    /// Work factor of the password hash; each step doubles the time. Below 10 is for tests only.
    #[arg(
        long,
        env = "BCRYPT_COST",
        default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(4..=16)
    )]
    pub bcrypt_cost: u32,

    /// Whether grpcurl may list and describe the services.
    #[arg(long, env = "GRPC_REFLECTION", default_value_t = false, action = ArgAction::Set)]
    pub grpc_reflection: bool,

    #[command(flatten)]
    pub telemetry: kit::telemetry::Settings,
}

#[derive(clap::Subcommand, Clone, Copy, Debug)]
pub enum Command {
    /// Apply the migrations and exit.
    Migrate,
}

impl Config {
    pub(crate) fn db(&self) -> DbConfig {
        let mut config = DbConfig::new(self.database_url.expose(), "user-svc");
        if let Some(max_connections) = self.database_max_connections {
            config.max_connections = max_connections;
        }
        config
    }
}

/// An http or https address without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// `path` begins with a slash.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: Url = text.parse().map_err(|_| "is no URL")?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("must begin with http:// or https:// and a host");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must end with the host or a path");
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that clap asks for")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

fn setup_token(text: &str) -> Result<Secret, String> {
    if text.chars().count() < SETUP_TOKEN_MIN_CHARS {
        return Err(format!(
            "a setup token has {SETUP_TOKEN_MIN_CHARS} characters or more"
        ));
    }
    Ok(Secret::new(text))
}
