//! The settings of the all-in-one. Those of the single services pass through: each service reads
//! its own from the environment, and gets from here only what holds them together.

use std::{net::SocketAddr, path::PathBuf};

use base::Secret;

use crate::{backup, certs, doctor, export};

/// The whole box office in one process: five services, on a private PostgreSQL and NATS unless
/// told otherwise.
///
/// Every setting of a single service works here too, for example HOLD_TTL_SECS or
/// PAYMENT_PROVIDERS; `cargo run --bin ticket-svc -- --help` lists those of ticket-svc.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "boxoffice", version)]
pub struct Config {
    /// Where the shop and the REST API are served.
    #[arg(long, env, default_value = "127.0.0.1:8080")]
    pub http_addr: SocketAddr,

    /// The address guests see, in links and mails. Unset: where HTTP is served.
    #[arg(long, env)]
    pub public_url: Option<String>,

    /// Everything that is kept lives in this folder.
    #[arg(long, env = "BOXOFFICE_DATA_DIR", default_value = "./.boxoffice")]
    pub data_dir: PathBuf,

    /// A PostgreSQL server (15 or newer) with a role that may make roles and databases. Unset: a
    /// private one.
    #[arg(long, env, hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// A nats-server (2.11 or newer) with JetStream. Unset: a private one.
    #[arg(long, env, hide_env_values = true)]
    pub nats_url: Option<Secret>,

    /// A mail server. Unset: mails are written into the data folder as `.eml` files.
    #[arg(long, env, hide_env_values = true)]
    pub smtp_url: Option<Secret>,

    /// Where pictures of concerts are kept: a folder, or `s3://bucket/prefix`. Unset: in the data folder.
    #[arg(long, env)]
    pub images_store: Option<String>,

    /// The folder that `boxoffice certs` made. With it the services know each other by certificates, as they do on
    /// machines of their own; without it by a random key, on this machine.
    #[arg(long, env)]
    pub mesh_certs_dir: Option<PathBuf>,

    /// Create a small programme of concerts on the first start.
    #[arg(long, env = "DEMO_PROGRAMME", default_value_t = true, action = clap::ArgAction::Set)]
    pub demo_programme: bool,

    #[command(flatten)]
    pub telemetry: kit::telemetry::Settings,

    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Start everything (the default).
    Run,
    /// Print the completions of this command line, for a shell to read.
    Completions { shell: clap_complete::Shell },
    /// Delete the data folder: every event, order and mail. A server of your own is left alone.
    Reset {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Make certificates for development: an authority, and one of each service, by which they know each other. Done
    /// again, the authority stays and the others are renewed; running services notice.
    Certs(certs::Arguments),
    /// Copy everything into a new folder, while the box office is open or closed.
    Backup(backup::Arguments),
    /// Put a backup where there is no box office yet.
    Restore(backup::Arguments),
    /// Write the databases and the keys of a closed box office, to go on with services on machines of their own.
    Export(export::Arguments),
    /// Check that everything is as it must be: 0 healthy, 1 something is broken, 2 could not check.
    Doctor(doctor::Arguments),
}
