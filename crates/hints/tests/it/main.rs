//! Hints over a real nats-server, and without one.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{sync::Arc, time::Duration};

use base::Secret;
use hints::{Hints, subject::PROGRAMME_CHANGED};
use kit::Tasks;
use testkit::{Authority, NatsServer, TlsNats, Validity};
use tokio::sync::Notify;

const PATIENCE: Duration = Duration::from_secs(60);

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

/// An attempt takes milliseconds here, and one that is refused is repeated.
const MANY_ATTEMPTS: Duration = Duration::from_millis(1_500);

/// Whether a connection comes about.
async fn connects(url: String, within: Duration) -> bool {
    let hints = Hints::connect(&Secret::new(url), "test").await.unwrap();
    let connected = async {
        while !hints.is_connected() {
            // Sleeps: between two looks.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(within, connected).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_believed_by_its_certificate() {
    let authority = Authority::new();
    let folder = Authority::folder();
    authority.write(&folder, &["127.0.0.1"], Validity::Now);
    let file = |name: &str| folder.join(name).display().to_string();
    let nats = TlsNats::start(&folder, false).await;
    assert!(connects(format!("{}?ca={}", nats.url, file("ca.crt")), PATIENCE).await);
    // Nobody's certificate is believed unless somebody says whose.
    assert!(!connects(nats.url.clone(), MANY_ATTEMPTS).await);
    let stranger = Authority::folder();
    Authority::new().write(&stranger, &["127.0.0.1"], Validity::Now);
    let other = stranger.join("ca.crt");
    assert!(
        !connects(
            format!("{}?ca={}", nats.url, other.display()),
            MANY_ATTEMPTS
        )
        .await
    );

    // A server that does not speak TLS gets nothing of what was meant to be secret.
    let plain = testkit::nats().await.url().to_owned();
    assert!(connects(plain.clone(), PATIENCE).await);
    assert!(!connects(plain.replace("nats://", "tls://"), MANY_ATTEMPTS).await);
    assert!(!connects(format!("{plain}?ca={}", file("ca.crt")), MANY_ATTEMPTS).await);

    let strict = TlsNats::start(&folder, true).await;
    let anonymous = format!("{}?ca={}", strict.url, file("ca.crt"));
    assert!(!connects(anonymous.clone(), MANY_ATTEMPTS).await);
    let own = format!("&cert={}&key={}", file("tls.crt"), file("tls.key"));
    assert!(connects(format!("{anonymous}{own}"), PATIENCE).await);
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
