//! Who took a row has it for a while, alone.

use std::collections::BTreeMap;

use async_nats::Subscriber;
use futures::StreamExt as _;
use testkit::eventually;

use crate::harness::{Harness, LIMIT};

/// Not on the stream.
const END: &str = "boxoffice.end";

/// Listens to every publish, those included that the stream takes for duplicates.
async fn listen(harness: &Harness) -> Subscriber {
    let client = harness.nats.client().await;
    let publishes = client.subscribe("boxoffice.>").await.unwrap();
    client.flush().await.unwrap();
    publishes
}

#[tokio::test]
async fn replicas_publish_every_row_once() {
    let mut harness = Harness::start().await;
    harness.jetstream_is_used().await;
    harness.stop_senders().await;
    harness.stop_consumer().await;
    let mut publishes = listen(&harness).await;
    let rows = 1_000;
    sqlx::query(
        "INSERT INTO outbox (id, kind, envelope)
         SELECT id, 'order_paid', ('\\x0a24' || encode(id::text::bytea, 'hex'))::bytea
         FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $1)) AS ids",
    )
    .bind(rows)
    .execute(&harness.rows)
    .await
    .unwrap();
    for _ in 0..4 {
        harness.start_sender(harness.wire.url().to_owned()).await;
    }

    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    eventually("every row was taken once", LIMIT, async || {
        let taken: i64 =
            sqlx::query_scalar("SELECT sum(generation) FROM outbox WHERE generation > 0")
                .fetch_one(&harness.rows)
                .await
                .unwrap_or_default();
        (taken >= i64::from(rows)).then_some(())
    })
    .await;
    harness.stop_senders().await;
    let flush = harness.nats.client().await;
    flush.publish(END, "".into()).await.unwrap();
    while let Some(message) = publishes.next().await {
        if message.subject.as_str() == END {
            break;
        }
        let headers = message.headers.unwrap();
        *seen
            .entry(headers.get("Nats-Msg-Id").unwrap().to_string())
            .or_default() += 1;
    }
    assert!(!seen.is_empty(), "nothing went over NATS");
    assert!(
        seen.keys().all(|id| id.ends_with(":g1")),
        "a row was taken twice: {seen:?}"
    );
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");

    harness.start_consumer().await;
    harness.start_sender(harness.wire.url().to_owned()).await;
    harness.nats_is_there().await;
    harness.let_time_pass().await;
    harness.all_closed().await;
    harness.check_invariants().await;
}

#[tokio::test]
async fn what_a_crashed_publisher_had_taken_is_due_when_its_lease_ends() {
    let mut harness = Harness::start().await;
    harness.stop_senders().await;
    let id = harness.enqueue().await;
    // Taken, and then nothing: neither published nor put back.
    let deadline = "UPDATE outbox SET generation = 1,
                        next_attempt_at = clock_timestamp() + interval '1 second'
                    RETURNING next_attempt_at";
    let lease_ends: time::OffsetDateTime = sqlx::query_scalar(deadline)
        .fetch_one(&harness.rows)
        .await
        .unwrap();
    harness.start_sender(harness.wire.url().to_owned()).await;
    harness.closed(id).await;
    let ways = harness.receiver.deliveries_of(id);
    assert!(
        ways.iter().all(|(_, generation)| *generation == 2),
        "{ways:?}"
    );
    let late: bool = sqlx::query_scalar("SELECT confirmed_at >= $1 FROM outbox")
        .bind(lease_ends)
        .fetch_one(&harness.rows)
        .await
        .unwrap();
    assert!(late, "taken within somebody's lease");
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_row_is_leased_for_longer_with_each_generation() {
    let mut harness = Harness::start().await;
    harness.stop_consumer().await;
    let id = harness.enqueue().await;
    for (generation, lease_secs) in [(1, 20.0), (2, 40.0)] {
        harness.generation(id, generation).await;
        let left: f64 = sqlx::query_scalar(
            "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::float8 FROM outbox",
        )
        .fetch_one(&harness.rows)
        .await
        .unwrap();
        assert!(left > lease_secs - 5.0 && left <= lease_secs, "{left}");
        harness.on_stream(u64::try_from(generation).unwrap()).await;
        harness.let_time_pass().await;
    }
    harness.closed(id).await;
    harness.start_consumer().await;
    harness.settled().await;
    assert_eq!(harness.effects().await, 1);
    harness.check_invariants().await;
}
