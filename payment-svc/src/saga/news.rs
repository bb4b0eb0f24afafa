//! Messages of which an order may have several. Each has a number, by a row of the transaction that
//! writes it to the outbox.

use base::{MessageId, OrderId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::cancel_by_guest::was_cancelled_by_guest;
use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The receipt again; the number is its revision.
    Receipt,
    Postponed,
    /// Of an event at this time.
    Reminder(OffsetDateTime),
    AwaitingTransfer,
}

impl News {
    fn word(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Postponed => "postponed",
            Self::Reminder(_) => "reminder",
            Self::AwaitingTransfer => "awaiting_transfer",
        }
    }
}

/// The number of a message to be. None if there is this very message already, or the guest was reminded
/// of that time before. The order is locked.
pub(super) async fn number(
    tx: &mut PgConnection,
    message: MessageId,
    order: OrderId,
    news: News,
) -> Result<Option<u32>, Error> {
    let about = match news {
        News::Reminder(of) => Some(of),
        _ => None,
    };
    let number = sqlx::query_scalar!(
        "INSERT INTO order_news (message_id, order_id, kind, number, about)
         SELECT $1, $2, $3, coalesce(max(number), 0) + 1, $4
         FROM order_news WHERE order_id = $2 AND kind = $3
         ON CONFLICT DO NOTHING
         RETURNING number",
        message.uuid(),
        order.uuid(),
        news.word(),
        about,
    );
    let number = number.fetch_optional(tx).await?;
    Ok(number.map(i32::unsigned_abs))
}

/// How many tickets of the order are valid.
pub(super) async fn tickets_left(tx: &mut PgConnection, order: OrderId) -> Result<u32, Error> {
    // Of a free order no refund says so.
    if was_cancelled_by_guest(tx, order).await? {
        return Ok(0);
    }
    let left = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(quantity - refunded_quantity), 0) AS "left!"
           FROM order_lines WHERE order_id = $1"#,
        order.uuid(),
    );
    let left = left.fetch_one(tx).await?;
    Ok(u32::try_from(left).unwrap_or(0))
}

/// Nobody hears of a date of an event that will not be.
pub(super) async fn event_is_cancelled(
    tx: &mut PgConnection,
    order: OrderId,
) -> Result<bool, Error> {
    let cancelled = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM event_cancellations c JOIN orders o ON o.event_id = c.event_id
               WHERE o.id = $1) AS "cancelled!""#,
        order.uuid(),
    );
    Ok(cancelled.fetch_one(tx).await?)
}
