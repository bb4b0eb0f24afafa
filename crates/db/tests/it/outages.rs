//! The database goes away under traffic and comes back: every write that was answered with yes is there, the first
//! one succeeds within seconds, and no session has kept anything of the outage.

use crate::{MIGRATOR, PATIENCE, assert_whole, config, connect, fresh, idle, put, rows};
use db::{Db, DbError};
use futures::future::join_all;
use sqlx::AssertSqlSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};
use testkit::{FaultProxy, PostgresServer, TestDb, eventually, on_time};
use tokio::task::JoinHandle;

const SESSIONS: u32 = 4;
const SERVING_WITHIN: Duration = Duration::from_secs(5);

/// Writers that never stop, and remember what they were told.
struct Traffic {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Vec<i32>>>,
    /// Writes that were answered with yes so far.
    yes: Arc<AtomicI32>,
}

impl Traffic {
    /// Twice as many as there are sessions.
    fn start(db: &Db) -> Self {
        let (stop, yes) = (Arc::<AtomicBool>::default(), Arc::<AtomicI32>::default());
        let writers = (1..=2 * SESSIONS).map(|writer| {
            let (db, stop, yes) = (db.clone(), stop.clone(), yes.clone());
            let first = i32::try_from(writer).unwrap() * 100_000;
            tokio::spawn(async move {
                let mut told = Vec::new();
                for id in first.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    if db.run(id, |session, id| put(session, *id)).await.is_ok() {
                        told.push(id);
                        yes.fetch_add(1, Ordering::SeqCst);
                    }
                }
                told
            })
        });
        Self {
            writers: writers.collect(),
            stop,
            yes,
        }
    }

    /// Until so many more writes were answered with yes.
    async fn goes_on(&self, more: i32, within: Duration) {
        let goal = self.yes.load(Ordering::SeqCst) + more;
        eventually("writes to succeed", within, async || {
            (self.yes.load(Ordering::SeqCst) >= goal).then_some(())
        })
        .await;
    }

    /// Ends the writers. Everything they were told is there.
    async fn end(self, database: &TestDb) {
        self.stop.store(true, Ordering::SeqCst);
        let told = join_all(self.writers).await;
        let told: Vec<i32> = told.into_iter().flat_map(Result::unwrap).collect();
        let there: i64 = sqlx::query_scalar("SELECT count(*) FROM things WHERE id = ANY($1)")
            .bind(&told)
            .fetch_one(&mut database.connect().await)
            .await
            .unwrap();
        assert_eq!(
            usize::try_from(there).unwrap(),
            told.len(),
            "a confirmed write is lost"
        );
    }
}

async fn survives(outage: impl AsyncFn(&PostgresServer)) {
    let server = PostgresServer::start_private().await;
    let database = server.database("db", &MIGRATOR).await;
    let db = connect(&database.url, SESSIONS).await;
    let traffic = Traffic::start(&db);
    traffic.goes_on(50, PATIENCE).await;
    on_time("it serves again", SERVING_WITHIN, 1, async || {
        outage(&server).await;
        let back = Instant::now();
        traffic.goes_on(50, PATIENCE).await;
        println!("serving {:?} after it was back", back.elapsed());
        back.elapsed()
    })
    .await;
    traffic.end(&database).await;
    assert_whole(&db, &database, SESSIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_database() {
    survives(async |server| {
        server.kill().await;
        server.start().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_database() {
    survives(async |server| {
        server.stop().await;
        server.start().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_database() {
    survives(async |server| {
        let url = server.admin_url().to_owned();
        let db = Db::connect_lazy(&config(&url, 1)).unwrap();
        server.freeze().await;
        // Longer than it takes to give up an idle session, and to say that the database is busy.
        for _ in 0..3 {
            let refused: Result<(), DbError> =
                db.read((), |_, ()| Box::pin(async { Ok(()) })).await;
            assert!(matches!(refused, Err(DbError::Busy)), "{refused:?}");
        }
        server.thaw().await;
    })
    .await;
}

/// Runs a statement again and again on every session while a column is added. Answers how it failed.
async fn failures_while_a_column_is_added(statement: &'static str) -> Vec<DbError> {
    let database = fresh().await;
    let db = connect(&database.url, SESSIONS).await;
    db.run((), |session, ()| put(session, 1)).await.unwrap();
    let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicI32>::default());
    let readers = (0..SESSIONS).map(|_| {
        let (db, stop, done) = (db.clone(), stop.clone(), done.clone());
        tokio::spawn(async move {
            let mut failures = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let read: Result<(), DbError> = db
                    .read((), move |session, ()| {
                        Box::pin(async move {
                            let found = sqlx::query(AssertSqlSafe(statement)).bind(1);
                            found.fetch_one(session).await?;
                            Ok(())
                        })
                    })
                    .await;
                // A machine without time for a session says nothing about the column.
                failures.extend(read.err().filter(|error| !matches!(error, DbError::Busy)));
                done.fetch_add(1, Ordering::SeqCst);
            }
            failures
        })
    });
    let readers: Vec<JoinHandle<Vec<DbError>>> = readers.collect();
    let more = async |count: i32| {
        let goal = done.load(Ordering::SeqCst) + count;
        eventually("statements to run", PATIENCE, async || {
            (done.load(Ordering::SeqCst) >= goal).then_some(())
        })
        .await;
    };
    more(100).await;
    let mut outside = database.connect().await;
    let add = sqlx::raw_sql("ALTER TABLE things ADD COLUMN later int");
    add.execute(&mut outside).await.unwrap();
    more(100).await;
    stop.store(true, Ordering::SeqCst);
    let failures = join_all(readers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    idle(&database, i64::from(SESSIONS)).await;
    assert_eq!(rows(&database).await, 1);
    failures
}

#[tokio::test]
async fn a_column_is_added_under_statements_that_name_theirs() {
    let named = "SELECT id, n, label FROM things WHERE id = $1";
    let failures = failures_while_a_column_is_added(named).await;
    assert!(failures.is_empty(), "{failures:?}");
}

/// Why no statement of a service may say `*`.
#[tokio::test]
async fn a_column_is_added_under_a_star() {
    let star = "SELECT * FROM things WHERE id = $1";
    assert!(!failures_while_a_column_is_added(star).await.is_empty());
}

/// As an address does that leads nowhere for a moment, because a standby takes over.
#[tokio::test]
async fn a_server_that_ends_sessions_while_they_begin_is_away_and_nothing_was_done() {
    let database = fresh().await;
    let proxy = FaultProxy::before(&database.url).await;
    let db = connect(proxy.url(), 1).await;
    proxy.refuse(true);
    proxy.reset_connected();
    for id in 1..5 {
        let away = db.run(id, |session, id| put(session, *id)).await;
        assert!(matches!(away, Err(DbError::Busy)), "{away:?}");
    }
    proxy.refuse(false);
    db.run(5, |session, id| put(session, *id)).await.unwrap();
    assert_eq!(rows(&database).await, 1);
    db.close().await;
}
