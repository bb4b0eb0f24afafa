use crate::{Folder, config, connect};
use embedded::{Stack, StackConfig};
use sqlx::{Connection as _, PgConnection};

/// A configuration that uses the servers of `host` and starts none.
fn guest_of(host: &Stack, folder: &Folder) -> StackConfig {
    let mut config = config(folder.path());
    config.postgres = Some(host.admin_url().to_owned());
    config.nats = Some(host.nats_url().to_owned());
    config
}

#[tokio::test]
async fn a_role_opens_its_own_database_only() {
    let folder = Folder::new();
    let stack = Stack::start(config(folder.path())).await.unwrap();
    let owner: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&mut connect(&stack, "tickets").await)
        .await
        .unwrap();
    assert_eq!(owner, "ticket_svc");

    let foreign = stack
        .database_url("tickets")
        .unwrap()
        .replace("/tickets?", "/users?");
    let refused = PgConnection::connect(&foreign)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("permission denied for database"),
        "{refused}"
    );

    let wrong = stack
        .database_url("tickets")
        .unwrap()
        .replace("ticket_svc:", "ticket_svc:x");
    let refused = PgConnection::connect(&wrong).await.unwrap_err().to_string();
    assert!(
        refused.contains("password authentication failed"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_server_given_by_url_gets_the_databases_once() {
    let (host_folder, folder, stranger) = (Folder::new(), Folder::new(), Folder::new());
    let mut host = config(host_folder.path());
    host.databases.clear();
    let host = Stack::start(host).await.unwrap();

    // A role that may make roles and databases, and nothing else.
    let mut admin = PgConnection::connect(host.admin_url()).await.unwrap();
    sqlx::raw_sql("CREATE ROLE dba LOGIN CREATEROLE CREATEDB PASSWORD 'dba'")
        .execute(&mut admin)
        .await
        .unwrap();
    let mut guest = guest_of(&host, &folder);
    let place = host.admin_url().split_once('@').unwrap().1;
    guest.postgres = Some(format!("postgres://dba:dba@{place}"));

    for _ in 0..2 {
        let stack = Stack::start(guest.clone()).await.unwrap();
        assert!(stack.pids().is_empty());
        connect(&stack, "users").await.close().await.unwrap();
        stack.stop().await;
    }

    let refused = Stack::start(guest_of(&host, &stranger))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("another installation"), "{refused}");
}
