use std::{convert::Infallible, net::SocketAddr};

use base::{KeyRing, Secret};
use kit::MeshSettings;

/// Concerts, ticket types, stock, holds and tickets.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "ticket-svc", version)]
pub struct Config {
    /// Address of the gRPC server.
    #[arg(long, env = "GRPC_ADDR", default_value = "127.0.0.1:50052")]
    pub grpc_addr: SocketAddr,

    /// `postgres://user:password@host:port/tickets`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub database_url: Secret,

    /// Database sessions at most, beside one of the auditor; 3 per core where it is not set.
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub database_max_connections: Option<u32>,

    #[command(flatten)]
    pub mesh: MeshSettings,

    /// Where user-svc answers; it has the keys that access tokens are verified with.
    #[arg(long, env = "USER_SVC_URL", default_value = "http://127.0.0.1:50051")]
    pub user_svc_url: String,

    /// Keys of the secrets of holds: `id:key,…`; the first derives, all of them verify.
    #[arg(long, env = "HOLD_KEYS", hide_env_values = true)]
    pub hold_keys: KeyRing,

    /// Keys of the codes of tickets: `id:key,…`; the first derives, all of them verify.
    #[arg(long, env = "TICKET_CODE_KEYS", hide_env_values = true)]
    pub ticket_code_keys: KeyRing,

    /// `nats://user:password@host:port`, for hints to whoever keeps a copy of the programme. Without
    /// it copies see a change within a second or two.
    #[arg(long, env = "NATS_URL", hide_env_values = true, value_parser = secret)]
    pub nats_url: Option<Secret>,

    /// How long a hold lasts, in seconds. It is never extended.
    #[arg(long, env = "HOLD_TTL_SECS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub hold_ttl_secs: u32,

    /// How long a guest has to pay by card, in seconds.
    #[arg(long, env = "CARD_PAYMENT_SECS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub card_payment_secs: u32,

    /// How long a guest has to pay by transfer or at the desk, in seconds.
    #[arg(long, env = "MANUAL_PAYMENT_SECS", default_value_t = 7 * 86_400, value_parser = clap::value_parser!(u32).range(1..=7_776_000))]
    pub manual_payment_secs: u32,

    /// How long the auditor pauses between two looks at the stock, in milliseconds.
    #[arg(long, env = "AUDIT_PAUSE_MS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=2_000))]
    pub audit_pause_ms: u32,

    /// Whether grpcurl may list and describe the services.
    #[arg(long, env = "GRPC_REFLECTION", default_value_t = false, action = clap::ArgAction::Set)]
    pub grpc_reflection: bool,

    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub telemetry: kit::telemetry::Settings,
}

#[derive(clap::Subcommand, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Apply the migrations and exit.
    Migrate,
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}
