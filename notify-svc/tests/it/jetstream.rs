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
    let bytes = envelope.encode_to_vec();
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
