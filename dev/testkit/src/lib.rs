//! What every test of the workspace uses: a private PostgreSQL and nats-server per test binary, a database per
//! test, an SMTP sink, a Stripe, faults to order, and one way to wait. Depends on no service and never ships.
//!
//! Everything starts lazily on first use and works from any number of `#[tokio::test]` functions, each with a
//! runtime of its own. Helpers panic with a readable message: a test that cannot get its server has failed.

#![expect(
    clippy::disallowed_methods,
    reason = "a tool for tests: what it spawns ends with its test"
)]

mod authority;
mod database;
mod eventually;
mod fault_proxy;
mod hang_up;
mod infra;
pub mod keys;
mod logs;
mod nats;
mod nats_cluster;
mod otlp;
mod patient;
mod ports;
mod postgres;
mod process;
mod smtp;
pub mod stripe;

pub use authority::{Authority, Validity};
pub use database::{TestDb, database, tables_with};
pub use eventually::{eventually, on_time};
pub use fault_proxy::{Direction, FaultProxy};
pub use hang_up::hang_up;
pub use infra::Infra;
pub use logs::logs;
pub use nats::{NatsServer, StoreSnapshot, TlsNats, nats};
pub use nats_cluster::NatsCluster;
pub use otlp::{OtlpReceiver, ReceivedSpan};
pub use patient::Patient;
pub use ports::quiet_ports;
pub use postgres::PostgresServer;
pub use process::terminate;
pub use smtp::{Message, Smtp};
pub use stripe::StripeServer;
