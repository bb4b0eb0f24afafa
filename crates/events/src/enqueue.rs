//! A message becomes a row in the transaction of what it announces.

use base::MessageId;
use db::DbError;
use prost::Message as _;
use proto::event::{Envelope, envelope::Payload};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// Writes an outbox row in the caller's transaction. A repeated id is the same message.
pub async fn enqueue(
    tx: &mut PgConnection,
    id: MessageId,
    occurred_at: OffsetDateTime,
    payload: Payload,
) -> Result<(), DbError> {
    let message = Message::new(id, occurred_at, payload);
    sqlx::query(
        "INSERT INTO outbox (id, kind, envelope) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
    )
    .bind(message.id)
    .bind(message.kind)
    .bind(message.envelope)
    .execute(tx)
    .await?;
    Ok(())
}

/// The columns of an outbox row, for a statement that writes several with what they announce.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: Uuid,
    pub kind: &'static str,
    pub envelope: Vec<u8>,
}

impl Message {
    /// In the trace of the call in hand.
    pub fn new(id: MessageId, occurred_at: OffsetDateTime, payload: Payload) -> Self {
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
        Self {
            id: id.uuid(),
            kind,
            envelope: envelope.encode_to_vec(),
        }
    }
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
