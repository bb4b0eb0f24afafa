use crate::{Gate, PATIENCE, assert_whole, config, connect, fresh, idle, put, rows};
use db::{Db, DbError};
use std::cell::Cell;
use std::time::{Duration, Instant};
use testkit::{Direction, FaultProxy, TestDb, eventually};

/// Puts a row and counts how often the work ran.
async fn put_counted(db: &Db, counter: &Gate) -> Result<i32, DbError> {
    db.run(counter.clone(), |session, counter| {
        Box::pin(async move {
            counter.pass().await;
            put(session, 1).await
        })
    })
    .await
}

#[tokio::test]
async fn a_lost_answer_to_commit_is_asked_again() {
    let database = fresh().await;
    let proxy = FaultProxy::before(&database.url).await;
    let db = connect(proxy.url(), 2).await;
    let counter = Gate::shut();
    counter.open();
    proxy.cut_after(Direction::Up, "COMMIT", 1);
    assert_eq!(put_counted(&db, &counter).await.unwrap(), 7);
    assert_eq!(counter.attempts(), 2);
    assert_eq!(rows(&database).await, 1);
}

#[tokio::test]
async fn answers_that_stay_lost_are_an_unknown_outcome() {
    let database = fresh().await;
    let proxy = FaultProxy::before(&database.url).await;
    let db = connect(proxy.url(), 2).await;
    let counter = Gate::shut();
    counter.open();
    proxy.cut_after(Direction::Up, "COMMIT", u32::MAX);
    let outcome = put_counted(&db, &counter).await;
    assert!(
        matches!(outcome, Err(DbError::OutcomeUnknown)),
        "{outcome:?}"
    );
    assert_eq!(rows(&database).await, 1);
    proxy.cut_after(Direction::Up, "COMMIT", 0);
    assert_eq!(put_counted(&db, &counter).await.unwrap(), 7);
}

/// How many sessions of the pool stand inside a transaction that does nothing.
async fn idle_in_transaction(database: &TestDb) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = 'db-it' AND state = 'idle in transaction'",
    )
    .fetch_one(&mut database.connect().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_caller_that_leaves_during_begin_loses_nobodys_write() {
    let database = fresh().await;
    let proxy = FaultProxy::before(&database.url).await;
    let db = connect(proxy.url(), 1).await;
    proxy.delay(Direction::Down, Duration::from_millis(250));
    let call = || {
        let db = db.clone();
        tokio::spawn(async move { db.run((), |session, ()| put(session, 1)).await })
    };
    let caller = Cell::new(Some(call()));
    // The server has begun, its answer is on the way.
    eventually("the transaction to begin", PATIENCE, async || {
        // On a busy machine the wire may be too slow for a sign of life, and the session is given up.
        let before = caller.take().filter(|before| !before.is_finished());
        caller.set(Some(before.unwrap_or_else(call)));
        (idle_in_transaction(&database).await == 1).then_some(())
    })
    .await;
    let caller = caller.take().unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    proxy.delay(Direction::Down, Duration::ZERO);

    // Without a transaction of its own: inside the abandoned one it would be lost.
    db.read((), |session, ()| put(session, 2)).await.unwrap();
    assert_eq!(rows(&database).await, 2, "the abandoned work and the next");
    assert_whole(&db, &database, 1).await;
}

/// A busy machine may have no time for a new session within a second: that is said at once, and nothing is waited for.
async fn insist(db: &Db, id: i32) {
    eventually("a session", PATIENCE, async || {
        match db.read(id, |session, id| put(session, *id)).await {
            Err(DbError::Busy) => None,
            answer => Some(answer.unwrap()),
        }
    })
    .await;
}

#[tokio::test]
async fn half_open_sessions_are_replaced() {
    let database = fresh().await;
    let proxy = FaultProxy::before(&database.url).await;
    let db = connect(proxy.url(), 4).await;
    assert_whole(&db, &database, 4).await;
    idle(&database, 4).await;
    proxy.silence_connected();
    let start = Instant::now();
    // The read's own deadline is 2 s: without the ping it would wait for ever, and so would everybody after it.
    insist(&db, 1).await;
    println!("served {:?} after it fell silent", start.elapsed());
    for id in 2..20 {
        insist(&db, id).await;
    }
    assert_whole(&db, &database, 4).await;
}

#[tokio::test]
async fn sessions_that_fall_silent_at_work_come_back() {
    let database = fresh().await;
    let proxy = FaultProxy::before(&database.url).await;
    let mut config = config(proxy.url(), 2);
    config.run_deadline = Duration::from_secs(1);
    let db = Db::connect(&config).await.unwrap();
    let gate = Gate::shut();
    let at_work = tokio::spawn({
        let (db, gate) = (db.clone(), gate.clone());
        async move { tokio::join!(put_counted(&db, &gate), put_counted(&db, &gate)) }
    });
    gate.arrived(2).await;
    proxy.silence_connected();
    gate.open();
    let (one, two) = at_work.await.unwrap();
    for outcome in [one, two] {
        assert!(matches!(outcome, Err(DbError::Timeout)), "{outcome:?}");
    }
    eventually("the sessions to be given up", PATIENCE, async || {
        (db.in_flight() == 0).then_some(())
    })
    .await;
    assert_whole(&db, &database, 2).await;
}

#[tokio::test]
async fn a_session_that_the_server_ends_is_replaced() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let gate = Gate::shut();
    let caller = tokio::spawn({
        let (db, gate) = (db.clone(), gate.clone());
        async move { put_counted(&db, &gate).await }
    });
    gate.arrived(1).await;
    let mut outside = database.connect().await;
    let ended: bool = sqlx::query_scalar(
        "SELECT bool_and(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'db-it'",
    )
    .fetch_one(&mut outside)
    .await
    .unwrap();
    assert!(ended);
    gate.open();
    assert_eq!(caller.await.unwrap().unwrap(), 7);
    assert_eq!(gate.attempts(), 2);
}

#[tokio::test]
async fn an_open_transaction_does_not_reach_the_next_borrower() {
    let database = fresh().await;
    let db = connect(&database.url, 1).await;
    let careless: Result<(), DbError> = db
        .read((), |session, ()| {
            Box::pin(async move {
                sqlx::raw_sql("BEGIN").execute(session).await?;
                Ok(())
            })
        })
        .await;
    careless.unwrap();
    // Without a transaction of its own: inside the careless one it would be lost.
    db.read((), |session, ()| put(session, 1)).await.unwrap();
    assert_eq!(rows(&database).await, 1);
}

#[tokio::test]
async fn a_service_may_start_before_its_database() {
    let port = testkit::quiet_ports(1)[0];
    let config = config(&format!("postgres://u:p@127.0.0.1:{port}/x"), 1);
    assert!(
        !format!("{config:?}").contains("u:p"),
        "the password is printed"
    );
    let db = Db::connect_lazy(&config).unwrap();
    let start = Instant::now();
    let outcome = db.read((), |session, ()| put(session, 1)).await;
    assert!(matches!(outcome, Err(DbError::Busy)), "{outcome:?}");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}
