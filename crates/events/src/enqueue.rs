//! A message becomes a row in the transaction of what it announces.

use base::MessageId;
use db::DbError;
use prost::Message as _;
use proto::event::{Envelope, envelope::Payload};
use sqlx::PgConnection;
use time::OffsetDateTime;

/// Writes an outbox row in the caller's transaction. A repeated id is the same message.
pub async fn enqueue(
    tx: &mut PgConnection,
    id: MessageId,
    occurred_at: OffsetDateTime,
    payload: Payload,
) -> Result<(), DbError> {
    let kind = kind(&payload);
    let envelope = Envelope {
        message_id: id.to_string(),
        generation: 0,
        occurred_at: Some(proto::timestamp(occurred_at)),
        traceparent: kit::current()
            .trace
            .map(|trace| trace.traceparent())
            .unwrap_or_default(),
        payload: Some(payload),
    };
    sqlx::query(
        "INSERT INTO outbox (id, kind, envelope) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.uuid())
    .bind(kind)
    .bind(envelope.encode_to_vec())
    .execute(tx)
    .await?;
    Ok(())
}

/// The last part of the subject.
fn kind(payload: &Payload) -> &'static str {
    match payload {
        Payload::OrderUnfulfillable(_) => "order_unfulfillable",
        Payload::OrderRefunded(_) => "order_refunded",
        Payload::OrderCancelled(_) => "order_cancelled",
        Payload::OrderPaid(_) => "order_paid",
    }
}
