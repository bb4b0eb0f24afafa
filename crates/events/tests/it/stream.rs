//! The stream loses what it had, or is not what it should be.

use async_nats::jetstream::stream::{Config, RetentionPolicy};

use crate::{
    harness::{Harness, STREAM},
    receiver::Way,
};

async fn last_sequence(harness: &Harness) -> u64 {
    let mut stream = harness.jetstream().await.get_stream(STREAM).await.unwrap();
    stream.info().await.unwrap().state.last_sequence
}

/// A disk restored from a backup: acknowledged messages are gone, and their numbers are given again.
#[tokio::test]
async fn a_stream_that_is_rolled_back_loses_no_message() {
    let mut harness = Harness::start().await;
    let before = harness.enqueue().await;
    harness.closed(before).await;
    harness.settled().await;
    harness.nats.stop().await;
    let backup = harness.nats.snapshot().await;
    harness.nats.start().await;
    harness.nats_is_there().await;

    harness.stop_consumer().await;
    let lost = harness.enqueue().await;
    harness.on_stream(2).await;
    assert_eq!(last_sequence(&harness).await, 2);
    harness.stop_time().await;
    harness.nats.stop().await;
    harness.nats.rollback(&backup).await;
    harness.nats.start().await;
    assert_eq!(
        last_sequence(&harness).await,
        1,
        "the broker knows nothing of the second"
    );

    harness.start_consumer().await;
    harness.nats_is_there().await;
    let next = harness.enqueue().await;
    harness.closed(next).await;
    assert_eq!(
        last_sequence(&harness).await,
        2,
        "the number is another message's now"
    );
    assert_eq!(
        harness.row(lost).await,
        (1, false),
        "only the outbox still knows it"
    );
    harness.let_time_pass().await;
    harness.closed(lost).await;
    assert_eq!(harness.receiver.deliveries_of(lost), [(Way::JetStream, 2)]);
    assert_eq!(harness.effects().await, 3);
    harness.check_invariants().await;
}

/// What was published to a consumer and a stream that are gone before anybody received it.
#[tokio::test]
async fn messages_in_a_deleted_stream_are_published_again() {
    let mut harness = Harness::start().await;
    harness.stop_consumer().await;
    let ids = [harness.enqueue().await, harness.enqueue().await];
    harness.on_stream(2).await;
    harness.stop_time().await;
    harness
        .jetstream()
        .await
        .delete_stream(STREAM)
        .await
        .unwrap();
    harness.start_consumer().await;
    harness.consumer_is_there().await;
    harness.let_time_pass().await;
    for id in ids {
        harness.closed(id).await;
        assert_eq!(harness.receiver.deliveries_of(id), [(Way::JetStream, 2)]);
    }
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_sender_alone_makes_the_stream_again() {
    let mut harness = Harness::start().await;
    harness.jetstream_is_used().await;
    harness.stop_consumer().await;
    harness
        .jetstream()
        .await
        .delete_stream(STREAM)
        .await
        .unwrap();
    // The first message finds no stream, and its receiver directly.
    let first = harness.enqueue().await;
    harness.closed(first).await;
    assert_eq!(harness.receiver.deliveries_of(first), [(Way::Accept, 1)]);
    let second = harness.enqueue().await;
    harness.on_stream(1).await;
    harness.start_consumer().await;
    harness.closed(second).await;
    assert_eq!(
        harness.receiver.deliveries_of(second),
        [(Way::JetStream, 1)]
    );
    harness.check_invariants().await;
}

/// Work-queue retention forgets what was acknowledged, and with it the memory of duplicates.
#[tokio::test]
async fn a_stream_of_another_kind_is_not_used() {
    let mut harness = Harness::without_nats().await;
    harness.stop_senders().await;
    harness.nats.start().await;
    let jetstream = harness.jetstream().await;
    harness.consumer_is_there().await;
    harness.stop_consumer().await;
    jetstream.delete_stream(STREAM).await.unwrap();
    let foreign = Config {
        name: STREAM.to_owned(),
        subjects: vec!["boxoffice.event.>".to_owned()],
        retention: RetentionPolicy::WorkQueue,
        ..Config::default()
    };
    jetstream.create_stream(foreign).await.unwrap();
    harness.start_sender(harness.wire.url().to_owned()).await;
    harness.nats_of_senders().await;
    let id = harness.enqueue().await;
    harness.closed(id).await;
    assert_eq!(harness.receiver.deliveries_of(id), [(Way::Accept, 1)]);
    assert_eq!(last_sequence(&harness).await, 0, "nothing was published");
    harness.check_invariants().await;
}
