//! The fast way: messages from the stream, and the confirmation back.

use std::slice::from_ref;

use async_nats::jetstream;
use futures::StreamExt as _;
use prost::Message as _;
use proto::event::{Envelope, NotifyAccepted};
use testkit::eventually;

use crate::harness::{Harness, LIMIT};

async fn with_nats() -> (Harness, jetstream::Context) {
    let harness = Harness::start().await;
    harness.nats.start().await;
    let jetstream = jetstream::new(harness.nats.client().await);
    eventually("the stream is made", LIMIT, async || {
        jetstream.get_stream("BOXOFFICE").await.ok().map(drop)
    })
    .await;
    (harness, jetstream)
}

async fn publish(jetstream: &jetstream::Context, envelope: &Envelope) {
    publish_bytes(jetstream, envelope.encode_to_vec()).await;
}

async fn publish_bytes(jetstream: &jetstream::Context, bytes: Vec<u8>) {
    let ack = jetstream
        .publish("boxoffice.event.order_paid", bytes.into())
        .await
        .unwrap();
    ack.await.unwrap();
}

#[tokio::test]
async fn a_message_by_both_ways_and_many_times_is_one_mail() {
    let (harness, jetstream) = with_nats().await;
    let client = harness.nats.client().await;
    let mut confirmations = client.subscribe("boxoffice.notify.accepted").await.unwrap();
    client.flush().await.unwrap();

    let envelope = harness.envelope();
    for generation in 1..=3 {
        publish(
            &jetstream,
            &Envelope {
                generation,
                ..envelope.clone()
            },
        )
        .await;
        harness.accept(from_ref(&envelope)).await;
    }
    let mut confirmed = 0;
    while confirmed < 3 {
        let next = tokio::time::timeout(LIMIT, confirmations.next()).await;
        let message = next.expect("a confirmation in time").unwrap();
        for id in NotifyAccepted::decode(message.payload).unwrap().message_ids {
            assert_eq!(id, envelope.message_id);
            confirmed += 1;
        }
    }
    harness.reaches(&envelope, "sent", 1).await;
    harness.round_passes().await;
    assert_eq!(
        harness.sink.messages().len(),
        2,
        "its own, and that of the round"
    );
    assert_eq!(
        (
            harness.count("inbox").await,
            harness.count("notifications").await
        ),
        (2, 2)
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_message_that_is_refused_is_not_confirmed_and_the_next_one_is() {
    let (harness, jetstream) = with_nats().await;
    let client = harness.nats.client().await;
    let mut confirmations = client.subscribe("boxoffice.notify.accepted").await.unwrap();
    client.flush().await.unwrap();

    let unknown = Envelope {
        payload: None,
        ..harness.envelope()
    };
    let good = harness.envelope();
    publish(&jetstream, &unknown).await;
    publish(&jetstream, &good).await;
    let next = tokio::time::timeout(LIMIT, confirmations.next()).await;
    let message = next.expect("a confirmation in time").unwrap();
    let ids = NotifyAccepted::decode(message.payload).unwrap().message_ids;
    assert_eq!(ids, [good.message_id.as_str()]);
    harness.reaches(&good, "sent", 1).await;
    assert_eq!(harness.count("inbox").await, 1);
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_came_while_the_service_was_stopped_is_received_when_it_is_back() {
    let (mut harness, jetstream) = with_nats().await;
    harness.round_passes().await;
    harness.stop().await;
    let envelope = harness.envelope();
    publish(&jetstream, &envelope).await;
    assert_eq!(harness.count("inbox").await, 1);
    harness.run().await;
    eventually("the message is received", LIMIT, async || {
        (harness.count("inbox").await == 2).then_some(())
    })
    .await;
    harness.reaches(&envelope, "sent", 1).await;
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_cannot_be_read_leaves_one_bounded_trace_and_stops_nobody() {
    let (harness, jetstream) = with_nats().await;
    let garbage = vec![0xff; 100_000];
    publish_bytes(&jetstream, garbage.clone()).await;
    publish_bytes(&jetstream, garbage).await;
    let good = harness.envelope();
    publish(&jetstream, &good).await;
    eventually("the good one is received", LIMIT, async || {
        (harness.count("inbox").await == 1).then_some(())
    })
    .await;
    harness.reaches(&good, "sent", 1).await;
    let traces = harness.poison().await;
    assert_eq!(traces.len(), 1, "{traces:?}");
    assert_eq!(traces[0].times, 2);
    assert_eq!(traces[0].subject, "boxoffice.event.order_paid");
    assert_eq!(
        (traces[0].prefix_bytes, traces[0].payload_bytes),
        (1_024, 100_000)
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_refused_message_leaves_a_trace_until_it_is_accepted() {
    let harness = Harness::start().await;
    let good = harness.envelope();
    let refused = Envelope {
        payload: None,
        ..good.clone()
    };
    for _ in 0..2 {
        assert!(harness.accept(from_ref(&refused)).await.is_empty());
    }
    let traces = harness.poison().await;
    assert_eq!(traces.len(), 1, "{traces:?}");
    assert_eq!(
        (traces[0].id.as_str(), traces[0].times),
        (good.message_id.as_str(), 2)
    );
    assert_eq!(traces[0].prefix_bytes, 0, "its sender has it");
    assert!(traces[0].reason.starts_with("payload "), "{traces:?}");

    harness.accept(from_ref(&good)).await;
    assert!(harness.poison().await.is_empty());
    harness.reaches(&good, "sent", 1).await;
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_flood_of_bad_messages_keeps_the_newest_thousand() {
    let harness = Harness::start().await;
    sqlx::query(
        "INSERT INTO poison_messages
             (id, reason, subject, headers, payload_prefix, payload_bytes, last_received_at)
         SELECT gen_random_uuid(), 'old', '', '', '', 0, clock_timestamp() - interval '1 day'
         FROM generate_series(1, 1500)",
    )
    .execute(&harness.rows)
    .await
    .unwrap();
    let refused = Envelope {
        payload: None,
        ..harness.envelope()
    };
    harness.accept(from_ref(&refused)).await;
    let traces = harness.poison().await;
    assert_eq!(traces.len(), 1_000);
    assert_eq!(traces[0].id, refused.message_id);
    harness.check_invariants(0).await;
}
