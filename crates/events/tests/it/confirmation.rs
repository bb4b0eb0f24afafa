//! A row is open until the receiver confirmed it, and until then somebody tries again.

use std::{sync::atomic::Ordering, time::Duration};

use base::MessageId;
use prost::Message as _;
use proto::event::NotifyAccepted;

use crate::{harness::Harness, receiver::Way};

#[tokio::test]
async fn after_a_lost_confirmation_the_next_generation_is_published() {
    let harness = Harness::start().await;
    harness.receiver.silent.store(true, Ordering::SeqCst);
    let id = harness.enqueue().await;
    harness.delivered(id, 1).await;
    harness.stop_time().await;
    harness.settled().await;
    assert_eq!(
        harness.row(id).await,
        (1, false),
        "committed there, and not known here"
    );

    harness.receiver.silent.store(false, Ordering::SeqCst);
    harness.let_time_pass().await;
    harness.closed(id).await;
    // The broker would have swallowed a second publish of the same generation.
    assert_eq!(
        harness.receiver.deliveries_of(id),
        [(Way::JetStream, 1), (Way::JetStream, 2)]
    );
    assert_eq!(harness.effects().await, 1);
    harness.check_invariants().await;
}

#[tokio::test]
async fn where_no_confirmation_comes_the_receiver_is_called() {
    let harness = Harness::start().await;
    harness.receiver.silent.store(true, Ordering::SeqCst);
    let id = harness.enqueue().await;
    for times in 1..=2 {
        harness.delivered(id, times).await;
        harness.let_time_pass().await;
    }
    harness.closed(id).await;
    let ways = [(Way::JetStream, 1), (Way::JetStream, 2), (Way::Accept, 3)];
    assert_eq!(harness.receiver.deliveries_of(id), ways);
    assert_eq!(harness.effects().await, 1);
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_receiver_that_is_away_is_called_until_it_accepts() {
    let harness = Harness::without_nats().await;
    harness.receiver.fail_next.store(1, Ordering::SeqCst);
    let id = harness.enqueue().await;
    harness.delivered(id, 1).await;
    let (_, closed) = harness.row(id).await;
    let again = harness.receiver.deliveries_of(id).len() > 1;
    assert!(!closed || again, "closed without a committed row");
    // Before the lease would end.
    harness.closed_within(id, Duration::from_secs(18)).await;
    let ways = [(Way::Accept, 1), (Way::Accept, 2)];
    assert_eq!(harness.receiver.deliveries_of(id), ways);
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_confirmation_that_makes_no_sense_changes_nothing() {
    let mut harness = Harness::start().await;
    harness.stop_consumer().await;
    let id = harness.enqueue().await;
    harness.generation(id, 1).await;
    harness.stop_time().await;
    let client = harness.nats.client().await;
    let foreign = NotifyAccepted {
        message_ids: vec![MessageId::new(&harness.sources).to_string()],
    };
    let foreign = foreign.encode_to_vec();
    for bytes in [&b"\xff\xff\xff"[..], b"", b"\x0a\x01x", &foreign] {
        client
            .publish("boxoffice.notify.accepted", bytes.to_vec().into())
            .await
            .unwrap();
    }
    client.flush().await.unwrap();
    harness.start_consumer().await;
    harness.closed(id).await;
    assert_eq!(harness.receiver.deliveries_of(id), [(Way::JetStream, 1)]);
    harness.check_invariants().await;
}
