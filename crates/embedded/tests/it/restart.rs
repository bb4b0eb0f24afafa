use crate::{Folder, assert_no_process, config, connect, until};
use embedded::Stack;
use sqlx::Connection as _;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_warm_start_finds_data_and_addresses() {
    let folder = Folder::new();
    let cold = Instant::now();
    let stack = Stack::start(config(folder.path())).await.unwrap();
    let cold = cold.elapsed();
    let addresses = (stack.admin_url().to_owned(), stack.nats_url().to_owned());
    let mut tickets = connect(&stack, "tickets").await;
    sqlx::raw_sql("CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
        .execute(&mut tickets)
        .await
        .unwrap();
    tickets.close().await.unwrap();
    stack.stop().await;
    assert_no_process(folder.path());

    let warm = Instant::now();
    let stack = Stack::start(config(folder.path())).await.unwrap();
    println!("cold {cold:?}, warm {:?}", warm.elapsed());
    assert_eq!(
        (stack.admin_url(), stack.nats_url()),
        (addresses.0.as_str(), addresses.1.as_str())
    );
    let kept: i32 = sqlx::query_scalar("SELECT id FROM kept")
        .fetch_one(&mut connect(&stack, "tickets").await)
        .await
        .unwrap();
    assert_eq!(kept, 7);
    drop(stack);
    assert_no_process(folder.path());
}

#[tokio::test]
async fn fsync_is_on_unless_switched_off() {
    for (durable, expected) in [(true, "on"), (false, "off")] {
        let folder = Folder::new();
        let mut config = config(folder.path());
        config.durable = durable;
        let stack = Stack::start(config).await.unwrap();
        let fsync: String = sqlx::query_scalar("SHOW fsync")
            .fetch_one(&mut connect(&stack, "users").await)
            .await
            .unwrap();
        assert_eq!(fsync, expected);
    }
}

#[tokio::test]
async fn a_server_that_dies_is_started_again() {
    let folder = Folder::new();
    let stack = Stack::start(config(folder.path())).await.unwrap();
    let before = stack.pids();
    assert_eq!(before.len(), 2);
    for pid in &before {
        crate::kill::kill_9(*pid);
    }
    until("both servers have new processes", || {
        let now = stack.pids();
        now.len() == 2 && now.iter().all(|pid| !before.contains(pid))
    })
    .await;
    // The addresses stay, so clients only have to connect again.
    testkit::eventually("PostgreSQL is back", Duration::from_secs(60), || async {
        sqlx::PgConnection::connect(stack.admin_url()).await.ok()
    })
    .await;
    stack.stop().await;
    assert_no_process(folder.path());
}
