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
    make_log_files(stack.admin_url()).await.unwrap();
    let ahead = files_ahead(&stack).await;
    assert!(ahead >= 30, "{ahead} files of 16 MiB");
    // Where they are there, no more are made.
    make_log_files(stack.admin_url()).await.unwrap();
    assert_eq!(files_ahead(&stack).await, ahead);
    stack.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
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
