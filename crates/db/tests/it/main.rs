//! The promises of `Db`, against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod errors;
mod faults;
mod migrations;
mod proxy;
mod transactions;

use db::{AsDbError, Db, DbConfig, DbError};
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use testkit::TestDb;
use tokio::sync::Semaphore;

static MIGRATOR: Migrator = sqlx::migrate!("tests/it/migrations");

async fn fresh() -> TestDb {
    testkit::database("db", &MIGRATOR).await
}

fn config(url: &str, max_connections: u32) -> DbConfig {
    let mut config = DbConfig::new(url, "db-it");
    config.max_connections = max_connections;
    config
}

async fn connect(url: &str, max_connections: u32) -> Db {
    Db::connect(&config(url, max_connections)).await.unwrap()
}

/// How many rows `things` has, seen from a session that is not the pool's.
async fn rows(database: &TestDb) -> i64 {
    let mut session = database.connect().await;
    sqlx::query_scalar("SELECT count(*) FROM things")
        .fetch_one(&mut session)
        .await
        .unwrap()
}

/// Insert-or-find of one row: the shape of work that `run` asks for. Answers the row's `n`.
fn put(session: &mut PgConnection, id: i32) -> BoxFuture<'_, Result<i32, DbError>> {
    Box::pin(async move {
        sqlx::query("INSERT INTO things (id, n) VALUES ($1, 7) ON CONFLICT DO NOTHING")
            .bind(id)
            .execute(&mut *session)
            .await?;
        let n = sqlx::query_scalar("SELECT n FROM things WHERE id = $1").bind(id);
        Ok(n.fetch_one(session).await?)
    })
}

/// Lets a test hold work between two of its lines, and count how often it ran.
#[derive(Debug, Clone)]
struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
    attempts: Arc<AtomicU32>,
}

impl Gate {
    fn shut() -> Self {
        Self {
            arrived: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
            attempts: Arc::default(),
        }
    }

    /// Called by the work: says that it is here, and waits.
    async fn pass(&self) {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        self.arrived.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }

    /// Called by the test: waits until so much work stands at the gate.
    async fn arrived(&self, count: u32) {
        self.arrived.acquire_many(count).await.unwrap().forget();
    }

    /// Lets everybody through from now on.
    fn open(&self) {
        self.open.add_permits(1000);
    }

    fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::SeqCst)
    }
}

/// A service's error, as far as `run` needs to know it.
#[derive(Debug, thiserror::Error)]
enum ServiceError {
    #[error("refused")]
    Refused,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl AsDbError for ServiceError {
    fn as_db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            Self::Refused => None,
        }
    }
}
