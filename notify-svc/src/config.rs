//! Every setting of the service.

use std::{net::SocketAddr, path::PathBuf};

use base::{Sealer, Secret};
use kit::MeshSettings;

/// Sends receipts and renders documents.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "notify-svc", version)]
pub struct Config {
    /// Where gRPC is served.
    #[arg(long, env, default_value = "127.0.0.1:50054")]
    pub grpc_addr: SocketAddr,

    /// PostgreSQL database `notifications`.
    #[arg(long, env, hide_env_values = true)]
    pub database_url: Secret,

    /// Connections to PostgreSQL at most.
    #[arg(long, env, default_value_t = 6)]
    pub database_max_connections: u32,

    /// NATS with JetStream, 2.11 or newer. It may be away at any time.
    #[arg(
        long,
        env,
        hide_env_values = true,
        default_value = "nats://127.0.0.1:4222"
    )]
    pub nats_url: Secret,

    /// So many servers of a NATS cluster keep a copy of what travels between services: 3 where there are three. More
    /// that an operator has set are left alone.
    #[arg(long, env = "NATS_STREAM_COPIES", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=5))]
    pub nats_stream_copies: u8,

    #[command(flatten)]
    pub mesh: MeshSettings,

    /// Opens the order links in messages; payment-svc has the same key.
    #[arg(long, env, hide_env_values = true)]
    pub link_seal_key: Sealer,

    /// Address of the shop, for links.
    #[arg(long, env, default_value = "http://127.0.0.1:8080")]
    pub public_url: String,

    /// gRPC address of ticket-svc, which knows what an admin may see.
    #[arg(long, env, default_value = "http://127.0.0.1:50052")]
    pub ticket_svc_url: String,

    /// gRPC address of user-svc, whose keys verify access tokens.
    #[arg(long, env, default_value = "http://127.0.0.1:50051")]
    pub user_svc_url: String,

    /// Mail server: `smtps://user:pass@host:port`, or `smtp://…` with STARTTLS. `?tls=` may be
    /// `required` (the default where there is a password), `opportunistic` (the default without one)
    /// or `none` (the default on this machine). A path names us in EHLO.
    #[arg(
        long,
        env,
        hide_env_values = true,
        required_unless_present = "mail_dir"
    )]
    pub smtp_url: Option<Secret>,

    /// Certificates (PEM) that are trusted beside the public ones, for a mail server of one's own.
    #[arg(long, env)]
    pub smtp_ca_file: Option<PathBuf>,

    /// Mails that are sent at the same time, each over a line of its own.
    #[arg(long, env, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub smtp_connections: u16,

    /// Mails per second at most, for a provider that takes no more. Receipts go first. Counted per process.
    #[arg(long, env, value_parser = clap::value_parser!(u32).range(1..))]
    pub mails_per_second: Option<u32>,

    /// Without a mail server: mails are written here as `.eml` files.
    #[arg(long, env)]
    pub mail_dir: Option<PathBuf>,

    /// A folder that outlives the process: mails that the mail server has taken and the database does not know of yet
    /// are noted there, so that they are not sent again after a crash.
    #[arg(long, env, default_value = ".boxoffice/handed-over")]
    pub handed_over_dir: PathBuf,

    /// Sender of every mail.
    #[arg(long, env, default_value = "Boxoffice <tickets@localhost>")]
    pub mail_from: lettre::message::Mailbox,

    /// Where undeliverable mails come back to; the sender if unset. A `*` in it becomes the notification's
    /// id (`bounces+*@example.com`), so that also a report that quotes nothing is understood.
    #[arg(long, env)]
    pub bounce_address: Option<String>,

    /// A Maildir into which the mail server delivers what comes back. Each file in its `new` is read once
    /// and moved to its `cur`.
    #[arg(long, env)]
    pub bounce_maildir: Option<PathBuf>,

    /// Named as the seller where an order names none.
    #[arg(long, env, default_value = "Boxoffice")]
    pub seller_name: String,

    /// Lets grpcurl list and describe the services.
    #[arg(long, env, default_value_t = false, action = clap::ArgAction::Set)]
    pub grpc_reflection: bool,

    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub telemetry: kit::telemetry::Settings,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum Command {
    /// Apply the database migrations and exit.
    Migrate,
}
