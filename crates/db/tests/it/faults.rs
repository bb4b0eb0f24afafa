use crate::proxy::Proxy;
use crate::{Gate, config, connect, fresh, put, rows};
use db::{Db, DbError};
use std::time::{Duration, Instant};
use testkit::TestDb;

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
    let proxy = Proxy::before(&database.url).await;
    let db = connect(&proxy.url, 2).await;
    let counter = Gate::shut();
    counter.open();
    proxy.cut_commits(1);
    assert_eq!(put_counted(&db, &counter).await.unwrap(), 7);
    assert_eq!(counter.attempts(), 2);
    assert_eq!(rows(&database).await, 1);
}

#[tokio::test]
async fn answers_that_stay_lost_are_an_unknown_outcome() {
    let database = fresh().await;
    let proxy = Proxy::before(&database.url).await;
    let db = connect(&proxy.url, 2).await;
    let counter = Gate::shut();
    counter.open();
    proxy.cut_commits(u32::MAX);
    let outcome = put_counted(&db, &counter).await;
    assert!(
        matches!(outcome, Err(DbError::OutcomeUnknown)),
        "{outcome:?}"
    );
    assert_eq!(rows(&database).await, 1);
    proxy.cut_commits(0);
    assert_eq!(put_counted(&db, &counter).await.unwrap(), 7);
}

/// Until the pool's session lies idle in the pool, after what is done on its release.
async fn wait_until_released(database: &TestDb) {
    let mut outside = database.connect().await;
    loop {
        let released: bool = sqlx::query_scalar(
            "SELECT bool_and(state = 'idle' AND query = 'BEGIN; ROLLBACK') FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'db-it'",
        )
        .fetch_one(&mut outside)
        .await
        .unwrap();
        if released {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn half_open_sessions_are_replaced() {
    let database = fresh().await;
    let proxy = Proxy::before(&database.url).await;
    let db = connect(&proxy.url, 1).await;
    db.run((), |session, ()| put(session, 1)).await.unwrap();
    wait_until_released(&database).await;
    proxy.silence_the_connected();
    // The read's own deadline is 2 s: without the ping it would wait for ever, and so would everybody after it.
    assert_eq!(db.read((), |session, ()| put(session, 1)).await.unwrap(), 7);
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
        "SELECT bool_and(pg_terminate_backend(pid, 2000)) FROM pg_stat_activity
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
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
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
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}
