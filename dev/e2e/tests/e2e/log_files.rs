//! Files of PostgreSQL's log are there before a sale needs them.

use boxoffice::make_log_files;
use embedded::{Stack, StackConfig};
use sqlx::{Connection as _, PgConnection};

#[tokio::test]
async fn the_log_has_files_before_it_needs_them() {
    let folder = std::env::temp_dir().join(format!("e2e-log-{}", embedded::random_secret()));
    let mut config = StackConfig::new(&folder, Vec::new());
    config.nats = Some(testkit::nats().await.url().to_owned());
    let stack = Stack::start(config).await.unwrap();
    assert_eq!(files_ahead(&stack).await, 0);
    // As a start that was interrupted leaves it: some are there already.
    ten_files(&stack).await;
    assert!((5..20).contains(&files_ahead(&stack).await));
    make_log_files(stack.admin_url(), stack.data_dir())
        .await
        .unwrap();
    let ahead = files_ahead(&stack).await;
    assert!(ahead >= 30, "{ahead} files of 16 MiB");
    // Where they are there, no more are made, and the log does not go on.
    let before = position(&stack).await;
    make_log_files(stack.admin_url(), stack.data_dir())
        .await
        .unwrap();
    assert_eq!(files_ahead(&stack).await, ahead);
    assert!(position(&stack).await - before < 16 * 1024 * 1024);
    stack.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

async fn ten_files(stack: &Stack) {
    let mut admin = PgConnection::connect(stack.admin_url()).await.unwrap();
    for _ in 0..10 {
        sqlx::raw_sql("SELECT pg_logical_emit_message(false, 'test', ''); SELECT pg_switch_wal()")
            .execute(&mut admin)
            .await
            .unwrap();
    }
    sqlx::raw_sql("CHECKPOINT")
        .execute(&mut admin)
        .await
        .unwrap();
}

/// How far the log is, in bytes.
async fn position(stack: &Stack) -> i64 {
    let mut admin = PgConnection::connect(stack.admin_url()).await.unwrap();
    sqlx::query_scalar("SELECT (pg_current_wal_lsn() - '0/0')::bigint")
        .fetch_one(&mut admin)
        .await
        .unwrap()
}

/// Files that come after the one that is being written.
async fn files_ahead(stack: &Stack) -> i64 {
    let mut admin = PgConnection::connect(stack.admin_url()).await.unwrap();
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn())",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap()
}
