use crate::{MIGRATOR, connect, rows};
use db::{MigrationError, migrate, wait_for_migrations};
use sqlx::migrate::Migrator;
use std::time::Duration;
use testkit::TestDb;

async fn empty() -> TestDb {
    testkit::database("empty", &Migrator::with_migrations(Vec::new())).await
}

#[tokio::test]
async fn a_service_waits_for_its_migrations() {
    let database = empty().await;
    let db = connect(&database.url, 2).await;
    let early = wait_for_migrations(&db, &MIGRATOR, Duration::ZERO).await;
    assert!(
        matches!(early, Err(MigrationError::Missing { version: 1, .. })),
        "{early:?}"
    );

    let waiting = tokio::spawn({
        let db = db.clone();
        async move { wait_for_migrations(&db, &MIGRATOR, Duration::from_secs(20)).await }
    });
    // Two at once, as in a careless rollout: one works, the other finds it done.
    let (one, two) = tokio::join!(
        migrate(&database.url, &MIGRATOR),
        migrate(&database.url, &MIGRATOR)
    );
    one.unwrap();
    two.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(rows(&database).await, 0);
}

#[tokio::test]
async fn an_edited_migration_is_noticed() {
    let database = empty().await;
    migrate(&database.url, &MIGRATOR).await.unwrap();
    let mut session = database.connect().await;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = '\\x00'")
        .execute(&mut session)
        .await
        .unwrap();
    let db = connect(&database.url, 1).await;
    let outcome = wait_for_migrations(&db, &MIGRATOR, Duration::ZERO).await;
    assert!(
        matches!(outcome, Err(MigrationError::Edited { version: 1 })),
        "{outcome:?}"
    );
    assert!(matches!(
        migrate(&database.url, &MIGRATOR).await,
        Err(MigrationError::Run(_))
    ));
}
