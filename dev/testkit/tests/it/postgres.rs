use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;
use testkit::{PostgresServer, TestDb};
use tokio::time::timeout;

static MIGRATOR: Migrator = sqlx::migrate!("tests/it/migrations");

async fn things(db: &TestDb) -> i64 {
    sqlx::query_scalar("SELECT count(id) FROM things")
        .fetch_one(&mut db.connect().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_killed_server_keeps_what_it_said_yes_to() {
    let server = PostgresServer::start_private().await;
    let db = server.database("things", &MIGRATOR).await;
    let mut session = db.connect().await;
    sqlx::query("INSERT INTO things (id, name) VALUES (2, 'mine')")
        .execute(&mut session)
        .await
        .unwrap();
    server.kill().await;
    assert!(session.ping().await.is_err());
    assert!(PgConnection::connect(&db.url).await.is_err());
    server.start().await;
    assert_eq!(things(&db).await, 2);

    server.stop().await;
    server.wipe().await;
    server.start().await;
    assert!(
        PgConnection::connect(&db.url).await.is_err(),
        "it remembers"
    );
    assert_eq!(things(&server.database("things", &MIGRATOR).await).await, 1);
}

#[tokio::test]
async fn a_frozen_server_is_silent_until_it_thaws() {
    let server = PostgresServer::start_private().await;
    let db = server.database("things", &MIGRATOR).await;
    let mut session = db.connect().await;
    server.freeze().await;
    {
        let silent = timeout(Duration::from_millis(200), session.ping()).await;
        assert!(silent.is_err(), "a frozen session answered");
        let silent = timeout(Duration::from_millis(200), PgConnection::connect(&db.url)).await;
        assert!(silent.is_err(), "a frozen server took a session");
    }
    server.thaw().await;
    assert_eq!(things(&db).await, 1);
    server.freeze().await;
}

#[tokio::test]
async fn deadlines_ahead_can_be_made_due() {
    let db = testkit::database("things", &MIGRATOR).await;
    let mut session = db.connect().await;
    sqlx::raw_sql("CREATE TABLE waits (due timestamptz); INSERT INTO waits VALUES (now() + '1 h')")
        .execute(&mut session)
        .await
        .unwrap();
    db.make_due("waits", "due").await;
    let due = sqlx::query_scalar("SELECT due <= clock_timestamp() FROM waits");
    assert!(due.fetch_one(&mut session).await.unwrap_or(false));
}
