//! Money goes back: the row that makes it so. It exists before the provider hears of it, and counts
//! as gone from then on; `jobs/drive_refunds.rs` does the rest.

use base::{OrderId, RefundId};
use db::DbError;
use sqlx::PgConnection;
use uuid::Uuid;

use super::given_back::give_back_the_rest;
use crate::{
    domain::{
        order_state::OrderStatus,
        refund_state::{RefundReason, RefundStatus},
    },
    error::Error,
    store::{self, By},
};

/// No payment gives back more than it brought, and no line more than it has.
const LIMITS: [&str; 2] = [
    "attempts_refunded_at_most_captured",
    "order_lines_refunded_at_most_all",
];
/// The order's note that goes with the row.
const REFUND_REQUESTED: &str = "refund_requested";

/// Which tickets are made void before the money leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voids {
    None,
    Lines,
    All,
}

impl Voids {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lines => "lines",
            Self::All => "all",
        }
    }
}

/// A refund to be.
#[derive(Clone, Debug)]
pub(crate) struct NewRefund {
    pub id: RefundId,
    pub order: OrderId,
    pub attempt: Uuid,
    pub amount_minor: i64,
    pub reason: RefundReason,
    pub note: String,
    pub voids: Voids,
    pub body_hash: Option<Vec<u8>>,
    pub by: By,
}

/// Records the refund of a captured payment. The caller has locked the order. False if there is such
/// a refund already: of the same id, or of a reason that sends a payment back by itself.
/// Error::RefundTooLarge if that much is not left.
pub(crate) async fn send_back(tx: &mut PgConnection, refund: &NewRefund) -> Result<bool, Error> {
    let inserted = sqlx::query!(
        "INSERT INTO refunds (id, order_id, attempt_id, number, provider, amount_minor, currency,
             reason, note, status, voids, body_hash, requested_by, next_step_at, trace_id, traceparent)
         SELECT $1, $2, id,
             (SELECT coalesce(max(number), 0) + 1 FROM refunds WHERE order_id = $2),
             provider, $4, coalesce(captured_currency, currency),
             $5, $6, $7, $8, $9, $10, clock_timestamp(), $11, $12
         FROM payment_attempts WHERE id = $3 AND order_id = $2
         ON CONFLICT DO NOTHING",
        refund.id.uuid(),
        refund.order.uuid(),
        refund.attempt,
        refund.amount_minor,
        refund.reason.word(),
        refund.note,
        RefundStatus::Requested.word(),
        refund.voids.word(),
        refund.body_hash,
        refund.by.actor,
        refund.by.trace_id(),
        refund.by.traceparent(),
    );
    let inserted = inserted.execute(&mut *tx).await.map_err(too_large)?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    if refund.voids == Voids::All {
        give_back_the_rest(tx, refund.id, refund.order).await?;
    }
    let status = order_status(tx, refund.order).await?;
    store::note(tx, refund.order, status, &refund.by, REFUND_REQUESTED).await?;
    store::refresh_attention(tx, refund.order).await?;
    Ok(true)
}

/// What the rules of the schema say about a refund.
pub(crate) fn too_large(error: sqlx::Error) -> Error {
    let error = DbError::from(error);
    match error.constraint() {
        Some(name) if LIMITS.contains(&name) => Error::RefundTooLarge,
        _ => error.into(),
    }
}

/// Locks the order and says how it stands: whatever moves its money takes turns.
pub(crate) async fn order_status(
    tx: &mut PgConnection,
    order: OrderId,
) -> Result<OrderStatus, Error> {
    let status = sqlx::query_scalar!(
        "SELECT status FROM orders WHERE id = $1 FOR UPDATE",
        order.uuid()
    );
    let status = status.fetch_optional(tx).await?;
    status
        .ok_or(Error::OrderNotFound)?
        .parse()
        .map_err(|_| Error::Broken("an order has an unknown status"))
}
