//! Money that arrived. It is recorded on its attempt whatever becomes of it, in one transaction with
//! what it means: the order is paid, or the money goes back, or a person decides.

use sqlx::PgConnection;

use super::{
    send_back::{NewRefund, Voids, send_back},
    settle::{Locked, Settling},
};
use crate::{
    domain::{
        attempt_state::AttemptStatus,
        order_state::OrderStatus,
        refund_state::RefundReason,
        timeline::{PART_PAYMENT, SECOND_PAYMENT},
    },
    error::Error,
    provider::Truth,
    store::{self, AttemptRow, By},
};

/// What came, as the provider or a person says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub amount_minor: i64,
    pub currency: String,
    /// The provider's name of the money itself, where it has one beside the reference.
    pub capture: Option<String>,
}

impl Arrival {
    pub fn of(truth: &Truth) -> Self {
        Self {
            amount_minor: truth.amount_minor,
            currency: truth.currency.clone(),
            capture: truth.capture.clone(),
        }
    }
}

/// The amount that was asked for is here.
pub(super) async fn pay(
    tx: &mut PgConnection,
    order: Locked,
    settling: &Settling,
    arrival: &Arrival,
) -> Result<(), Error> {
    if !capture(tx, &settling.attempt, arrival).await? {
        return Ok(());
    }
    if order.status == OrderStatus::Mismatch {
        // The money is recorded; what becomes of the order is for a person to decide.
        store::note(tx, order.id, order.status, &settling.by, "payment").await?;
        return Ok(());
    }
    if order.status.may_become(OrderStatus::Paid) {
        return become_paid(tx, order, &settling.attempt, &settling.by).await;
    }
    second_payment(tx, order, settling, arrival.amount_minor).await
}

/// Something else than was asked for. Nothing goes on by itself: a person decides.
pub(super) async fn differs(
    tx: &mut PgConnection,
    order: Locked,
    settling: &Settling,
    arrival: Option<&Arrival>,
) -> Result<(), Error> {
    let arrived = match arrival.filter(|arrival| arrival.amount_minor > 0) {
        Some(arrival) if capture(tx, &settling.attempt, arrival).await? => Some(arrival),
        _ => None,
    };
    if order.status.may_become(OrderStatus::Mismatch) {
        if arrived.is_none() {
            // Open for news of the money, and closed for a second attempt.
            let id = settling.attempt.id.into();
            store::advance_attempt(tx, id, AttemptStatus::Processing, None).await?;
        }
        let step = order.to(OrderStatus::Mismatch, &settling.by, "payment_differs");
        store::advance(tx, &step).await?;
        return Ok(());
    }
    match arrived {
        Some(_) if order.status == OrderStatus::Mismatch => {
            store::note(tx, order.id, order.status, &settling.by, "payment").await?;
        }
        // The order has been paid by another attempt: whatever this one brought goes back.
        Some(arrival) => second_payment(tx, order, settling, arrival.amount_minor).await?,
        None if order.status == OrderStatus::Mismatch => {}
        None => store::note_difference(tx, order.id).await?,
    }
    Ok(())
}

/// `… → paid` by this attempt.
pub(super) async fn become_paid(
    tx: &mut PgConnection,
    order: Locked,
    attempt: &AttemptRow,
    by: &By,
) -> Result<(), Error> {
    let late = matches!(order.status, OrderStatus::Expired | OrderStatus::Cancelled);
    let reason = if late { "late_payment" } else { "payment" };
    store::advance(tx, &order.to(OrderStatus::Paid, by, reason)).await?;
    paid_by(tx, order, attempt).await
}

/// The order remembers which payment it was.
pub(crate) async fn paid_by(
    tx: &mut PgConnection,
    order: Locked,
    attempt: &AttemptRow,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE orders SET payment_ref = $2 WHERE id = $1",
        order.id.uuid(),
        attempt.provider_ref,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The order had been paid before, so this money goes back in full.
pub(super) async fn second_payment(
    tx: &mut PgConnection,
    order: Locked,
    settling: &Settling,
    amount_minor: i64,
) -> Result<(), Error> {
    store::note(tx, order.id, order.status, &settling.by, SECOND_PAYMENT).await?;
    surplus(
        tx,
        order,
        settling,
        (amount_minor, RefundReason::SecondPayment),
    )
    .await
}

/// Sends back what the order does not need. A payment that has sent money back by itself for that
/// reason before, and brings yet more, is overpaid: nothing that arrives is kept in silence.
pub(super) async fn surplus(
    tx: &mut PgConnection,
    order: Locked,
    settling: &Settling,
    (amount_minor, reason): (i64, RefundReason),
) -> Result<(), Error> {
    let mut refund = NewRefund {
        id: settling.refund,
        order: order.id,
        attempt: settling.attempt.id,
        amount_minor,
        reason,
        note: String::new(),
        voids: Voids::None,
        body_hash: None,
        by: settling.by.clone(),
    };
    if !send_back(tx, &refund).await? {
        refund.reason = RefundReason::Overpaid;
        send_back(tx, &refund).await?;
    }
    Ok(())
}

/// A part came, by hand. The order waits for the rest, or has ended and gives it back.
pub(super) async fn part(
    tx: &mut PgConnection,
    order: Locked,
    settling: &Settling,
    amount_minor: i64,
) -> Result<(), Error> {
    if order.status == OrderStatus::AwaitingPayment {
        store::note(tx, order.id, order.status, &settling.by, PART_PAYMENT).await?;
        return Ok(());
    }
    surplus(
        tx,
        order,
        settling,
        (amount_minor, RefundReason::OrderEnded),
    )
    .await
}

/// A provider reports the whole of what arrived, once. False if it was recorded before.
async fn capture(
    tx: &mut PgConnection,
    attempt: &AttemptRow,
    arrival: &Arrival,
) -> Result<bool, Error> {
    let id = attempt.id.into();
    if !store::advance_attempt(tx, id, AttemptStatus::Succeeded, None).await? {
        return Ok(false);
    }
    sqlx::query!(
        "UPDATE payment_attempts
         SET captured_minor = $2, captured_currency = $3, captured_at = clock_timestamp(),
             capture_ref = $4
         WHERE id = $1",
        attempt.id,
        arrival.amount_minor,
        arrival.currency,
        arrival.capture,
    )
    .execute(tx)
    .await?;
    Ok(true)
}
