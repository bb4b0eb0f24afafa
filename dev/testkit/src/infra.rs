//! The servers of this test binary. They belong to the process and not to a test: each `#[tokio::test]` has a
//! runtime that ends with it.

use embedded::{DataDir, Postgres, Tools};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use tokio::runtime::{Builder, Runtime};

const PREFIX: &str = "boxoffice-test-";

/// The private servers of this test binary: one PostgreSQL cluster (fsync off) and one nats-server, each started
/// on first use. They end with the process, also when it is killed. The folder is removed by a later test run.
#[derive(Debug)]
pub struct Infra {
    data: DataDir,
    /// Outlives every test.
    runtime: Runtime,
    postgres: OnceLock<Postgres>,
    private_dirs: AtomicU32,
}

impl Infra {
    pub(crate) fn get() -> &'static Self {
        static INFRA: OnceLock<Infra> = OnceLock::new();
        INFRA.get_or_init(|| {
            remove_stale(&std::env::temp_dir());
            let dir = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build();
            Self {
                data: DataDir::open(&dir).expect("a folder for the test servers"),
                runtime: runtime.expect("a runtime for the test servers"),
                postgres: OnceLock::new(),
                private_dirs: AtomicU32::new(0),
            }
        })
    }

    /// URL of the cluster as its superuser, database `postgres`. Starts the cluster on first use.
    pub fn postgres_url() -> String {
        let infra = Self::get();
        let postgres = infra.postgres.get_or_init(|| {
            infra
                .block_on(Postgres::start(&infra.data, &Tools::from_env(), false))
                .unwrap_or_else(|error| panic!("no PostgreSQL for the tests: {error:#}"))
        });
        postgres.admin_url().to_owned()
    }

    /// What the shared cluster logged so far. Each line of a session names its database: `…|user@database|ERROR: …`.
    pub fn postgres_log() -> String {
        let log = Self::get().data.path().join("logs/postgres.log");
        fs::read_to_string(&log).unwrap_or_else(|error| panic!("{}: {error}", log.display()))
    }

    /// URL of the shared nats-server, with its credentials. Starts it on first use.
    pub fn nats_url() -> String {
        crate::nats::shared().url().to_owned()
    }

    pub(crate) fn data(&self) -> &DataDir {
        &self.data
    }

    /// A path for one test's own folder; what is made there goes with the servers.
    pub fn folder() -> PathBuf {
        Self::get().private_dir()
    }

    /// An empty folder for one test's own server.
    pub(crate) fn private_dir(&self) -> PathBuf {
        let number = self.private_dirs.fetch_add(1, Ordering::Relaxed);
        self.data.path().join(format!("private-{number}"))
    }

    /// Runs a future of this infrastructure to its end, from inside or outside of a runtime. Blocks the caller.
    pub(crate) fn block_on<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        std::thread::scope(|scope| {
            // A thread that runs a runtime must not block on another one.
            scope
                .spawn(|| self.runtime.block_on(future))
                .join()
                .expect("the starting thread panicked")
        })
    }
}

/// Removes what earlier test binaries left: folders whose lock nobody holds.
fn remove_stale(temp: &Path) {
    for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
        let dir = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours
            && is_old(&dir)
            && File::open(dir.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok())
        {
            // Best effort: a server may still be writing its last words there.
            let _ = fs::remove_dir_all(&dir);
        }
    }
}

/// Gives a process that is just starting the time to lock its folder, and one that ended the time to stop its servers.
fn is_old(dir: &Path) -> bool {
    let touched = dir.join("lock").metadata().and_then(|meta| meta.modified());
    touched.is_ok_and(|touched| {
        SystemTime::now()
            .duration_since(touched)
            .is_ok_and(|age| age > Duration::from_secs(10))
    })
}
