//! Hints over a real nats-server, and without one.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{sync::Arc, time::Duration};

use base::Secret;
use hints::{Hints, subject::PROGRAMME_CHANGED};
use kit::Tasks;
use testkit::NatsServer;
use tokio::sync::Notify;

const PATIENCE: Duration = Duration::from_secs(10);

async fn hints(nats: &NatsServer) -> Hints {
    Hints::connect(&Secret::new(nats.url()), "test")
        .await
        .unwrap()
}

async fn hears(heard: &Notify) {
    tokio::time::timeout(PATIENCE, heard.notified())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_is_heard_also_after_the_server_was_away() {
    let nats = NatsServer::start_private().await;
    let (sender, listener) = (hints(&nats).await, hints(&nats).await);
    let (tasks, heard) = (Tasks::new(), Arc::new(Notify::new()));
    listener.listen(&tasks, PROGRAMME_CHANGED, heard.clone());
    hears(&heard).await;
    // The server knows of the subscription some time after the client.
    let say_until_heard = async || {
        while tokio::time::timeout(Duration::from_millis(50), heard.notified())
            .await
            .is_err()
        {
            sender.send(PROGRAMME_CHANGED).await;
        }
    };
    tokio::time::timeout(PATIENCE, say_until_heard())
        .await
        .unwrap();

    nats.stop().await;
    testkit::eventually("it is noticed", PATIENCE, || async {
        (!sender.is_connected()).then_some(())
    })
    .await;
    // Neither waits nor piles up.
    for _ in 0..10_000 {
        sender.send(PROGRAMME_CHANGED).await;
    }
    nats.start().await;
    tokio::time::timeout(PATIENCE, say_until_heard())
        .await
        .unwrap();
    tasks.finish().await;
    assert_eq!(tasks.in_flight(), 0);
    nats.stop().await;
}
