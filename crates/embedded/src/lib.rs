//! A private PostgreSQL and nats-server for one installation: found or installed, started, watched, stopped.
//!
//! Everything lives under one data folder:
//!
//! ```text
//! <data dir>/lock       held while a process uses the folder
//! <data dir>/secrets/   one file per secret, readable by the owner only
//! <data dir>/ports/     the port each server had last, so that addresses survive a restart
//! <data dir>/logs/      what the servers say
//! <data dir>/postgres/  the cluster
//! <data dir>/nats/      configuration and JetStream store
//! ```

mod command;
mod copy;
mod databases;
mod jail;
mod layout;
mod nats;
mod nats_bin;
mod orphan;
mod ports;
mod postgres;
mod postgres_bin;
mod secrets;
mod stack;
mod supervise;
mod tools;

pub use copy::{place_copy, run_postgres_program};
pub use databases::DatabaseSpec;
pub use layout::DataDir;
pub use nats::Nats;
pub use postgres::{LOG_KEPT_MIB, Postgres};
pub use secrets::{Secrets, random_secret};
pub use stack::{Stack, StackConfig};
pub use tools::Tools;
