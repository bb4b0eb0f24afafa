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
        "INSERT INTO outbox (id, kind, envelope, order_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(message.id)
    .bind(message.kind)
    .bind(message.envelope)
    .bind(message.order)
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
    /// Which order it is about, if any.
    pub order: Option<Uuid>,
}

impl Message {
    /// In the trace of the call in hand.
    pub fn new(id: MessageId, occurred_at: OffsetDateTime, payload: Payload) -> Self {
        let (kind, order) = (kind_of(&payload), order_of(&payload));
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
            order,
        }
    }
}

/// The last part of the subject.
pub fn kind_of(payload: &Payload) -> &'static str {
    match payload {
        Payload::OrderUnfulfillable(_) => "order_unfulfillable",
        Payload::OrderRefunded(_) => "order_refunded",
        Payload::OrderCancelled(_) => "order_cancelled",
        Payload::OrderPaid(_) => "order_paid",
        Payload::OrderPostponed(_) => "order_postponed",
        Payload::OrderReminder(_) => "order_reminder",
        Payload::OrderAwaitingTransfer(_) => "order_awaiting_transfer",
        Payload::TicketTransferred(_) => "ticket_transferred",
        Payload::LookupCodeRequested(_) => "lookup_code_requested",
        Payload::AdminInvited(_) => "admin_invited",
        Payload::PasswordResetRequested(_) => "password_reset_requested",
        Payload::OrderErased(_) => "order_erased",
        Payload::TicketNews(_) => "ticket_news",
        Payload::HolderErased(_) => "holder_erased",
        Payload::AddressCorrected(_) => "address_corrected",
    }
}

/// The order that a message is about, so that its words can be erased with its guest.
fn order_of(payload: &Payload) -> Option<Uuid> {
    let order = match payload {
        Payload::OrderPaid(paid) => return paid.order_id.parse().ok(),
        Payload::OrderErased(erased) => return erased.order_id.parse().ok(),
        Payload::HolderErased(erased) => return erased.order_id.parse().ok(),
        Payload::AddressCorrected(corrected) => return corrected.order_id.parse().ok(),
        Payload::OrderUnfulfillable(told) => &told.order,
        Payload::OrderRefunded(told) => &told.order,
        Payload::OrderCancelled(told) => &told.order,
        Payload::OrderPostponed(told) => &told.order,
        Payload::OrderReminder(told) => &told.order,
        Payload::OrderAwaitingTransfer(told) => &told.order,
        Payload::TicketTransferred(told) => &told.order,
        Payload::TicketNews(told) => &told.order,
        Payload::LookupCodeRequested(_)
        | Payload::AdminInvited(_)
        | Payload::PasswordResetRequested(_) => &None,
    };
    order.as_ref()?.order_id.parse().ok()
}
