//! What a person has to see to. The sentence of an order is made anew from its notes, its refunds and
//! its status whenever one of these changes, so that no matter hides another one.

use base::OrderId;
use db::DbError;
use sqlx::PgConnection;

const DIFFERS: &str =
    "The provider reports another amount, currency or reference than was asked for.";
/// The reason of a refund that nobody can be asked about.
pub(crate) const SWITCHED_OFF: &str = "its provider is not enabled";
/// After so many steps in a row that could not be taken a person is told.
const FAILURES_TO_TELL: i32 = 5;

/// Says what there is to do, if anything. Whoever changed the order's refunds or its status asks for it.
/// Of refunds that a person would have to pay out the newest ones count, as far as there is money left.
pub(crate) async fn refresh_attention(
    tx: &mut PgConnection,
    order: OrderId,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE orders o SET needs_attention = nullif(concat_ws(' ',
             (SELECT string_agg(format('Refund %s: %s', number, matter), ' ' ORDER BY number)
              FROM (SELECT number, CASE
                        WHEN status IN ('submitted', 'failed') AND failure_reason = $3 THEN
                            format('what became of it is not known, for %s. Enable the provider.', $3)
                        WHEN status = 'submitted' AND next_step_at IS NULL THEN
                            'the provider does not pay it out. Pay it out by hand, then settle it.'
                        WHEN status = 'failed' THEN
                            format('failed (%s); it is tried again by itself.', failure_reason)
                        WHEN status = 'failed_final' AND was_to_pay AND unpaid_minor <= left_minor THEN
                            format(CASE WHEN paid_out_at IS NULL THEN 'failed for good (%s).'
                                        ELSE 'the provider took it back (%s).' END
                                || ' Pay it out by hand, then settle it.', failure_reason)
                        WHEN step_failures >= $4 AND next_step_at IS NOT NULL THEN
                            'does not get on; it is tried again by itself.' END AS matter
                    FROM (SELECT r.number, r.status, r.failure_reason, r.next_step_at, r.step_failures,
                              r.paid_out_at, p.was_to_pay, a.captured_minor - a.refunded_minor AS left_minor,
                              sum(r.amount_minor) FILTER (WHERE r.status = 'failed_final' AND p.was_to_pay)
                                  OVER (PARTITION BY r.attempt_id ORDER BY r.number DESC) AS unpaid_minor
                          FROM refunds r
                          JOIN payment_attempts a ON a.id = r.attempt_id
                          CROSS JOIN LATERAL (
                              SELECT r.voids = 'none' OR r.tickets_voided_at IS NOT NULL) p (was_to_pay)
                          WHERE r.order_id = o.id) r) m
              WHERE matter IS NOT NULL),
             CASE WHEN o.status = 'mismatch' AND NOT EXISTS (
                 SELECT FROM refunds r WHERE r.order_id = o.id AND r.reason = 'mismatch') THEN $2 END,
             nullif(array_to_string(o.notes, ' '), '')), '')
         WHERE o.id = $1",
        order.uuid(),
        DIFFERS,
        SWITCHED_OFF,
        FAILURES_TO_TELL,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A payment differs, and the order has been paid all the same: nothing else would say so.
pub(crate) async fn note_difference(tx: &mut PgConnection, order: OrderId) -> Result<(), DbError> {
    ask_for_attention(tx, order, DIFFERS).await
}

/// Puts an order in front of a person, for a reason that no state says. It stays until it is over, or
/// somebody has looked.
pub(crate) async fn ask_for_attention(
    tx: &mut PgConnection,
    order: OrderId,
    why: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE orders SET notes = array_append(array_remove(notes, $2), $2) WHERE id = $1",
        order.uuid(),
        why
    )
    .execute(&mut *tx)
    .await?;
    refresh_attention(tx, order).await
}

/// Takes an order away from the people it was put before for this reason. Others stay.
pub(crate) async fn attention_is_over(
    tx: &mut PgConnection,
    order: OrderId,
    why: &str,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE orders SET notes = array_remove(notes, $2) WHERE id = $1",
        order.uuid(),
        why
    )
    .execute(&mut *tx)
    .await?;
    refresh_attention(tx, order).await
}

/// A person has read the notes. What a decision or a payment is due for stays.
pub(crate) async fn clear_attention(tx: &mut PgConnection, order: OrderId) -> Result<(), DbError> {
    sqlx::query!("UPDATE orders SET notes = '{}' WHERE id = $1", order.uuid())
        .execute(&mut *tx)
        .await?;
    refresh_attention(tx, order).await
}
