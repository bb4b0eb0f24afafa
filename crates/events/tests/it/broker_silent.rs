//! The broker is connected and does not answer: the hazard that no connection state shows.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_nats::jetstream::stream::DiscardPolicy;
use base::MessageId;
use testkit::{Direction, on_time};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    harness::{Harness, STREAM},
    receiver::Way,
};

/// Detecting it takes a publish's timeout of 5 s; from then on nobody waits.
const DETECTED: Duration = Duration::from_secs(20);
const AT_ONCE: Duration = Duration::from_secs(3);

/// A new message, and how long it took until its row was closed.
async fn closed_after(harness: &Harness) -> (MessageId, Duration) {
    let begun = Instant::now();
    let id = harness.enqueue().await;
    harness.closed(id).await;
    (id, begun.elapsed())
}

#[tokio::test]
async fn a_publish_whose_acknowledgement_is_lost_has_one_effect() {
    let harness = Harness::start().await;
    harness.jetstream_is_used().await;
    harness.wire.lose(Direction::Down, true);
    let first = harness.enqueue().await;
    harness.closed_within(first, DETECTED).await;
    let ways = harness.receiver.deliveries_of(first);
    assert_eq!(
        ways,
        [(Way::JetStream, 1), (Way::Accept, 1)],
        "it had arrived all the same"
    );

    on_time("the next one is closed", AT_ONCE, 1, async || {
        let (second, took) = closed_after(&harness).await;
        assert_eq!(harness.receiver.deliveries_of(second), [(Way::Accept, 1)]);
        took
    })
    .await;

    harness.wire.lose(Direction::Down, false);
    harness.wire.reset_connected();
    harness.nats_is_there().await;
    harness.jetstream_is_used().await;
    harness.settled().await;
    assert_eq!(harness.effects().await, harness.count().await);
    harness.check_invariants().await;
}

/// One message in ten seconds tries it; no other waits for that one.
#[tokio::test]
async fn a_broker_that_stands_still_delays_one_batch_and_doubles_nothing() {
    let harness = Harness::start().await;
    harness.jetstream_is_used().await;
    harness.nats.freeze().await;
    let first = harness.enqueue().await;
    harness.closed_within(first, DETECTED).await;
    on_time("each of them is closed", AT_ONCE, 1, async || {
        let tried_again = Instant::now() + Duration::from_secs(12);
        let mut slowest = Duration::ZERO;
        while Instant::now() < tried_again {
            slowest = slowest.max(closed_after(&harness).await.1);
        }
        slowest
    })
    .await;
    harness.nats.thaw().await;
    // What was published while it stood still arrives now.
    harness.delivered(first, 2).await;
    assert_eq!(
        harness.receiver.deliveries_of(first),
        [(Way::Accept, 1), (Way::JetStream, 1)]
    );
    harness.wire.reset_connected();
    harness.jetstream_is_used().await;
    harness.settled().await;
    assert_eq!(harness.effects().await, harness.count().await);
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_stream_that_is_full_keeps_nothing_from_its_receiver() {
    let harness = Harness::start().await;
    harness.jetstream_is_used().await;
    let jetstream = harness.jetstream().await;
    let mut stream = jetstream.get_stream(STREAM).await.unwrap();
    let ours = stream.info().await.unwrap().config.clone();
    let mut full = ours.clone();
    (full.max_bytes, full.discard) = (1, DiscardPolicy::New);
    jetstream.update_stream(&full).await.unwrap();
    on_time("it is closed", AT_ONCE, 3, async || {
        let (id, took) = closed_after(&harness).await;
        assert_eq!(harness.receiver.deliveries_of(id), [(Way::Accept, 1)]);
        took
    })
    .await;
    // A new connection is trusted after a look at the stream, which puts it right.
    harness.wire.reset_connected();
    harness.jetstream_is_used().await;
    assert_eq!(
        stream.info().await.unwrap().config,
        ours,
        "it was put right"
    );
    harness.check_invariants().await;
}

/// A server that says its version and answers pings, and nothing else; and what it was told.
async fn old_server() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let hears = heard.clone();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let hello = b"INFO {\"server_id\":\"old\",\"version\":\"2.9.10\",\"proto\":1,\
            \"headers\":true,\"jetstream\":true,\"max_payload\":1048576}\r\n";
        client.write_all(hello).await.unwrap();
        let mut bytes = [0; 4096];
        while let Ok(count) = client.read(&mut bytes).await
            && count > 0
        {
            hears.lock().unwrap().extend(&bytes[..count]);
            // Whatever it was told, it is alive.
            if client.write_all(b"PONG\r\n").await.is_err() {
                break;
            }
        }
    });
    (url, heard)
}

#[tokio::test]
async fn a_server_that_is_too_old_is_not_used() {
    let mut harness = Harness::without_nats().await;
    harness.stop_senders().await;
    let (url, heard) = old_server().await;
    harness.start_sender(url).await;
    harness.nats_of_senders().await;
    let id = harness.enqueue().await;
    harness.closed(id).await;
    assert_eq!(harness.receiver.deliveries_of(id), [(Way::Accept, 1)]);
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    assert!(heard.starts_with("CONNECT"), "{heard}");
    assert!(
        !heard.contains("$JS.API") && !heard.contains("boxoffice.event"),
        "{heard}"
    );
    harness.check_invariants().await;
}
