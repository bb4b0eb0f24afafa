//! The receiver's end: commit, acknowledge, confirm, and what it does not break at.

use std::sync::atomic::Ordering;

use async_nats::jetstream::consumer::pull;
use base::MessageId;
use prost::Message as _;
use proto::event::Envelope;
use testkit::eventually;

use crate::{
    harness::{DURABLE, Harness, LIMIT, STREAM, paid},
    receiver::Way,
};

const SUBJECT: &str = "boxoffice.event.order_paid";

/// Puts a message on the stream that no outbox knows, so that nobody but the broker repeats it.
async fn publish(harness: &Harness, id: MessageId) {
    let envelope = Envelope {
        message_id: id.to_string(),
        generation: 1,
        payload: Some(paid(id)),
        ..Envelope::default()
    };
    publish_bytes(harness, envelope.encode_to_vec()).await;
}

async fn publish_bytes(harness: &Harness, bytes: Vec<u8>) {
    let jetstream = harness.jetstream().await;
    jetstream
        .publish(SUBJECT, bytes.into())
        .await
        .unwrap()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_message_goes_over_jetstream_and_closes_its_row() {
    let harness = Harness::start().await;
    let id = harness.enqueue().await;
    harness.closed(id).await;
    assert_eq!(harness.receiver.deliveries_of(id), [(Way::JetStream, 1)]);
    assert_eq!(harness.row(id).await.0, 1);
    harness.settled().await;
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_receiver_that_fails_first_gets_the_message_again() {
    let harness = Harness::start().await;
    harness.receiver.fail_next.store(1, Ordering::SeqCst);
    let id = MessageId::new(&harness.sources);
    publish(&harness, id).await;
    harness.delivered(id, 2).await;
    harness.settled().await;
    assert_eq!(harness.effects().await, 1);
    assert_eq!(harness.receiver.deliveries_of(id).len(), 2);
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_message_delivered_five_times_has_one_effect() {
    let harness = Harness::start().await;
    let id = harness.enqueue().await;
    harness.closed(id).await;
    for _ in 0..4 {
        publish(&harness, id).await;
    }
    harness.delivered(id, 5).await;
    harness.settled().await;
    assert_eq!(harness.effects().await, 1);
    assert_eq!(harness.row(id).await, (1, true));
    harness.check_invariants().await;
}

#[tokio::test]
async fn what_is_no_envelope_is_set_aside_and_stops_nobody() {
    let harness = Harness::start().await;
    publish_bytes(&harness, b"\xff\xff\xff".to_vec()).await;
    let id = harness.enqueue().await;
    publish_bytes(&harness, b"not an envelope".to_vec()).await;
    harness.closed(id).await;
    harness.settled().await;
    assert_eq!(
        harness.receiver.deliveries().len(),
        1,
        "it never saw the others as messages"
    );
    let poison = harness.receiver.poison.lock().unwrap().clone();
    let seen: Vec<_> = poison
        .iter()
        .map(|p| (p.subject.as_str(), p.payload.as_slice()))
        .collect();
    assert_eq!(
        seen,
        [
            (SUBJECT, &b"\xff\xff\xff"[..]),
            (SUBJECT, b"not an envelope")
        ]
    );
    harness.check_invariants().await;
}

#[tokio::test]
async fn what_could_not_be_set_aside_comes_again() {
    let harness = Harness::start().await;
    harness.receiver.fail_next.store(1, Ordering::SeqCst);
    publish_bytes(&harness, b"\xff\xff\xff".to_vec()).await;
    eventually("it is set aside in the end", LIMIT, async || {
        (harness.receiver.poison.lock().unwrap().len() == 2).then_some(())
    })
    .await;
    harness.settled().await;
    harness.check_invariants().await;
}

/// An acknowledgement is no proof: this one goes to a consumer that is gone, and nobody is told.
#[tokio::test]
async fn an_acknowledgement_that_went_nowhere_costs_a_delivery_and_nothing_else() {
    let harness = Harness::start().await;
    let gate = harness.receiver.gate.lock().await;
    let id = harness.enqueue().await;
    eventually("the message is with the receiver", LIMIT, async || {
        let info = harness.consumer().await?.info().await.ok()?.clone();
        (info.num_ack_pending == 1).then_some(())
    })
    .await;
    let stream = harness.jetstream().await.get_stream(STREAM).await.unwrap();
    stream.delete_consumer(DURABLE).await.unwrap();
    drop(gate);
    harness.closed(id).await;
    harness.delivered(id, 2).await;
    harness.settled().await;
    assert_eq!(harness.effects().await, 1);
    harness.check_invariants().await;
}

/// Somebody else's consumer of that name gives a message up after one delivery.
#[tokio::test]
async fn a_consumer_that_gives_messages_up_is_put_right() {
    let mut harness = Harness::start().await;
    harness.stop_consumer().await;
    let stream = harness.jetstream().await.get_stream(STREAM).await.unwrap();
    stream.delete_consumer(DURABLE).await.unwrap();
    let forgetful = pull::Config {
        durable_name: Some(DURABLE.to_owned()),
        max_deliver: 1,
        ..pull::Config::default()
    };
    stream.create_consumer(forgetful).await.unwrap();
    harness.receiver.fail_next.store(1, Ordering::SeqCst);
    harness.start_consumer().await;
    let id = MessageId::new(&harness.sources);
    publish(&harness, id).await;
    harness.delivered(id, 2).await;
    harness.settled().await;
    assert_eq!(harness.effects().await, 1);
    harness.check_invariants().await;
}

#[tokio::test]
async fn what_waited_for_the_consumer_is_delivered_when_it_is_back() {
    let mut harness = Harness::start().await;
    harness.stop_consumer().await;
    let ids = [
        MessageId::new(&harness.sources),
        MessageId::new(&harness.sources),
    ];
    for id in ids {
        publish(&harness, id).await;
    }
    assert!(harness.receiver.deliveries().is_empty());
    harness.start_consumer().await;
    for id in ids {
        harness.delivered(id, 1).await;
    }
    harness.settled().await;
    assert_eq!(harness.effects().await, 2);
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_deleted_consumer_is_made_again() {
    let harness = Harness::start().await;
    let stream = harness.jetstream().await.get_stream(STREAM).await.unwrap();
    stream.delete_consumer(DURABLE).await.unwrap();
    harness.consumer_is_there().await;
    let id = harness.enqueue().await;
    harness.closed(id).await;
    assert_eq!(harness.receiver.deliveries_of(id), [(Way::JetStream, 1)]);
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_deleted_stream_is_made_again() {
    let harness = Harness::start().await;
    harness
        .jetstream()
        .await
        .delete_stream(STREAM)
        .await
        .unwrap();
    harness.consumer_is_there().await;
    let id = harness.enqueue().await;
    harness.closed(id).await;
    assert_eq!(harness.receiver.deliveries_of(id), [(Way::JetStream, 1)]);
    harness.check_invariants().await;
}
