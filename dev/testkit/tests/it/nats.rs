use async_nats::jetstream::{self, stream};
use std::time::Duration;
use testkit::NatsServer;
use tokio::time::timeout;

async fn stream_exists(server: &NatsServer) -> bool {
    jetstream::new(server.client().await)
        .get_stream("KEPT")
        .await
        .is_ok()
}

async fn make_stream(server: &NatsServer) {
    let config = stream::Config {
        name: "KEPT".to_owned(),
        subjects: vec!["kept.>".to_owned()],
        ..Default::default()
    };
    jetstream::new(server.client().await)
        .create_stream(config)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_shared_server_is_one() {
    let server = testkit::nats().await;
    assert_eq!(server.url(), testkit::nats().await.url());
    assert_eq!(server.url(), testkit::Infra::nats_url());
    jetstream::new(server.client().await)
        .query_account()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_private_server_keeps_its_store_and_port_until_wiped() {
    let server = NatsServer::start_private().await;
    make_stream(&server).await;
    server.stop().await;
    server.start().await;
    assert!(stream_exists(&server).await);

    server.stop().await;
    server.wipe().await;
    server.start().await;
    assert!(!stream_exists(&server).await);
}

#[tokio::test]
async fn a_reserved_server_refuses_until_it_is_started() {
    let server = NatsServer::reserve_private().await;
    assert!(async_nats::connect(server.url()).await.is_err());
    server.start().await;
    make_stream(&server).await;
}

#[tokio::test]
async fn credentials_are_needed() {
    let server = testkit::nats().await;
    let bare = server.url().split('@').nth(1).unwrap();
    assert!(async_nats::connect(bare).await.is_err());
}

// A note to the reader: this client library leaves the credentials of a URL to the caller.
#[tokio::test]
async fn a_url_alone_does_not_log_in() {
    assert!(
        async_nats::connect(testkit::nats().await.url())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_killed_server_starts_again_with_its_store() {
    let server = NatsServer::start_private().await;
    make_stream(&server).await;
    server.kill().await;
    assert!(async_nats::connect(server.url()).await.is_err());
    server.start().await;
    assert!(stream_exists(&server).await);
}

#[tokio::test]
async fn a_frozen_server_is_silent_until_it_thaws() {
    let server = NatsServer::start_private().await;
    let jetstream = jetstream::new(server.client().await);
    server.freeze().await;
    let silent = timeout(Duration::from_millis(200), jetstream.query_account()).await;
    assert!(silent.is_err(), "a frozen server answered");
    server.thaw().await;
    jetstream.query_account().await.unwrap();
    server.freeze().await;
    server.stop().await;
}

#[tokio::test]
async fn a_store_goes_back_to_its_snapshot() {
    let server = NatsServer::start_private().await;
    server.stop().await;
    let empty = server.snapshot().await;
    server.start().await;
    make_stream(&server).await;
    server.stop().await;
    let with_stream = server.snapshot().await;
    server.rollback(&empty).await;
    server.start().await;
    assert!(!stream_exists(&server).await);
    server.stop().await;
    server.rollback(&with_stream).await;
    server.start().await;
    assert!(stream_exists(&server).await);
}
