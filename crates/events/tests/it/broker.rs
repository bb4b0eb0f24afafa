//! The broker is away, comes late, or forgets everything.

use crate::{harness::Harness, receiver::Way};

#[tokio::test]
async fn without_nats_the_receiver_is_called_and_later_nats_takes_over() {
    let harness = Harness::without_nats().await;
    let early = harness.enqueue().await;
    harness.closed(early).await;
    assert_eq!(harness.receiver.deliveries_of(early), [(Way::Accept, 1)]);

    harness.nats.start().await;
    harness.nats_is_there().await;
    let late = harness.enqueue().await;
    harness.closed(late).await;
    assert_eq!(harness.receiver.deliveries_of(late), [(Way::JetStream, 1)]);
    harness.check_invariants().await;
}

#[tokio::test]
async fn what_the_broker_forgot_is_delivered_all_the_same() {
    let mut harness = Harness::start().await;
    harness.stop_consumer().await;
    let id = harness.enqueue().await;
    harness.on_stream(1).await;
    harness.stop_time().await;

    harness.nats.stop().await;
    harness.nats.wipe().await;
    harness.nats.start().await;
    harness.start_consumer().await;
    harness.nats_is_there().await;
    assert_eq!(
        harness.row(id).await,
        (1, false),
        "only the outbox still knows it"
    );
    harness.let_time_pass().await;
    harness.closed(id).await;
    assert_eq!(harness.receiver.deliveries_of(id).last().unwrap().1, 2);
    assert_eq!(harness.effects().await, 1);

    // The connections have survived it, both the sender's and the receiver's.
    let next = harness.enqueue().await;
    harness.closed(next).await;
    assert_eq!(harness.receiver.deliveries_of(next), [(Way::JetStream, 1)]);
    harness.check_invariants().await;
}

#[tokio::test]
async fn nats_going_away_and_coming_back_loses_nothing() {
    let harness = Harness::start().await;
    harness.nats.stop().await;
    let meanwhile = harness.enqueue().await;
    harness.closed(meanwhile).await;
    harness.nats.start().await;
    let after = harness.enqueue().await;
    harness.closed(after).await;
    assert_eq!(harness.effects().await, 2);
    harness.check_invariants().await;
}
