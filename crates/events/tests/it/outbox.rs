//! The sender's end: when a row is there, and what a bad one does to the others.

use base::MessageId;
use db::DbError;
use events::enqueue;
use prost::Message as _;
use proto::event::Envelope;

use crate::{
    harness::{Harness, paid},
    receiver::Way,
};

#[tokio::test]
async fn a_message_is_written_in_the_callers_transaction_or_not_at_all() {
    let harness = Harness::without_nats().await;
    let (id, now) = (MessageId::new(&harness.sources), harness.sources.now());
    let rolled_back: Result<(), DbError> = harness
        .db
        .run((), move |tx, ()| {
            Box::pin(async move {
                enqueue(tx, id, now, paid(id)).await?;
                Err(DbError::Busy)
            })
        })
        .await;
    assert!(rolled_back.is_err());
    assert_eq!(harness.count().await, 0);
    assert!(harness.receiver.deliveries().is_empty());
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_repeated_id_is_one_row_with_the_first_content() {
    let harness = Harness::without_nats().await;
    let id = harness.enqueue().await;
    let now = harness.sources.now();
    for _ in 0..2 {
        harness
            .db
            .run((), move |tx, ()| {
                let another = MessageId::from(uuid::Uuid::nil());
                Box::pin(enqueue(tx, id, now, paid(another)))
            })
            .await
            .unwrap();
    }
    assert_eq!(harness.count().await, 1);
    let bytes: Vec<u8> = sqlx::query_scalar("SELECT envelope FROM outbox")
        .fetch_one(&harness.rows)
        .await
        .unwrap();
    let envelope = Envelope::decode(bytes.as_slice()).unwrap();
    assert_eq!(envelope.message_id, id.to_string());
    assert_eq!(envelope.payload, Some(paid(id)));
    harness.closed(id).await;
    assert_eq!(harness.effects().await, 1);
    harness.check_invariants().await;
}

#[tokio::test]
async fn the_trace_of_the_call_travels_with_its_message() {
    let harness = Harness::without_nats().await;
    let trace = kit::TraceId::new([7; 16]);
    let context = kit::CallContext {
        trace: Some(trace.clone()),
        ..Default::default()
    };
    let id = MessageId::new(&harness.sources);
    let mut session = harness.rows.acquire().await.unwrap();
    kit::with_context(
        context,
        enqueue(&mut session, id, harness.sources.now(), paid(id)),
    )
    .await
    .unwrap();
    let bytes: Vec<u8> = sqlx::query_scalar("SELECT envelope FROM outbox")
        .fetch_one(&mut *session)
        .await
        .unwrap();
    let envelope = Envelope::decode(bytes.as_slice()).unwrap();
    assert_eq!(envelope.traceparent, trace.traceparent());
    harness.closed(id).await;
    harness.check_invariants().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_no_other_from_its_receiver() {
    let harness = Harness::without_nats().await;
    let (id, bad) = (
        MessageId::new(&harness.sources),
        MessageId::from(uuid::Uuid::nil()),
    );
    let now = harness.sources.now();
    // In one transaction, so that they are due together.
    let both: Result<(), DbError> = harness
        .db
        .run((), move |tx, ()| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO outbox (id, kind, envelope) VALUES ($1, 'order_paid', $2)",
                )
                .bind(bad.uuid())
                .bind(&b"\xff\xff\xff"[..])
                .execute(&mut *tx)
                .await?;
                enqueue(tx, id, now, paid(id)).await
            })
        })
        .await;
    both.unwrap();
    harness.closed(id).await;
    assert!(!harness.row(bad).await.1, "it stays open, to be seen");
    sqlx::query("DELETE FROM outbox WHERE confirmed_at IS NULL")
        .execute(&harness.rows)
        .await
        .unwrap();
    harness.check_invariants().await;
}

/// More rows than one claim takes, due together.
#[tokio::test]
async fn a_wave_is_delivered_whole_and_in_calls_the_receiver_takes() {
    let harness = Harness::without_nats().await;
    sqlx::query(
        "INSERT INTO outbox (id, kind, envelope)
         SELECT id, 'order_paid', ('\\x0a24' || encode(id::text::bytea, 'hex'))::bytea
         FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 150)) AS ids",
    )
    .execute(&harness.rows)
    .await
    .unwrap();
    let last = harness.enqueue().await;
    harness.closed(last).await;
    harness.all_closed().await;
    assert_eq!(harness.effects().await, 151);
    let deliveries = harness.receiver.deliveries();
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.way == Way::Accept)
    );
    harness.check_invariants().await;
}
