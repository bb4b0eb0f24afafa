//! The servers of this test binary. They run under a runtime of their own on a dedicated thread, because each
//! `#[tokio::test]` has a runtime that ends with the test.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tokio::runtime::Handle;

/// The private servers of this test binary: one PostgreSQL cluster (fsync off) and one nats-server, each started
/// on first use. They end with the process, also when it is killed.
#[derive(Debug)]
pub struct Infra {
    dir: PathBuf,
    runtime: Handle,
}

impl Infra {
    /// URL of the cluster as its superuser, database `postgres`. Starts the cluster on first use.
    pub async fn postgres_url() -> String {
        unimplemented!()
    }

    /// URL of the shared nats-server, with its credentials. Starts it on first use.
    pub async fn nats_url() -> String {
        unimplemented!()
    }
}
