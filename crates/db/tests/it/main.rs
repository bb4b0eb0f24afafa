//! The promises of `Db`, against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]

mod errors;
mod faults;
mod kept;
mod migrations;
mod outages;
mod probe;
mod tls;
mod transactions;

use db::{AsDbError, Db, DbConfig, DbError};
use futures::future::{BoxFuture, join_all};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use testkit::{TestDb, eventually};
use tokio::sync::Semaphore;

const PATIENCE: Duration = Duration::from_secs(60);

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

/// Until so many of the pool's sessions lie idle in the pool, after what is done on their release.
async fn idle(database: &TestDb, sessions: i64) {
    eventually("the sessions to be released", PATIENCE, async || {
        let idle: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
             AND application_name = 'db-it' AND state = 'idle' AND query = 'BEGIN; ROLLBACK'",
        )
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
        (idle == sessions).then_some(())
    })
    .await;
}

/// Nobody has run off with a session, and none that is lent out is inside a transaction of somebody else: as many as
/// there are work side by side, and what each writes without a transaction of its own is there for all to see.
async fn assert_whole(db: &Db, database: &TestDb, sessions: u32) {
    let gate = Gate::shut();
    let before = rows(database).await;
    let work = join_all((0..sessions).map(|number| {
        let id = 1_000_000 + i32::try_from(before + i64::from(number)).unwrap();
        db.read((gate.clone(), id), |session, (gate, id)| {
            Box::pin(async move {
                let n = put(session, *id).await?;
                gate.pass().await;
                Ok::<_, DbError>(n)
            })
        })
    }));
    let together = async {
        gate.arrived(sessions).await;
        assert_eq!(rows(database).await - before, i64::from(sessions));
        gate.open();
    };
    let (outcomes, ()) = tokio::join!(work, together);
    for outcome in outcomes {
        outcome.unwrap();
    }
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
