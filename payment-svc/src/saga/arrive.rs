//! Money of a bank transfer or from the desk: a person says that it is here. It may come in parts,
//! be more than was asked for, or come after the end.

use base::RefundId;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    ask_for_transfer::TransferNotice,
    capture::{become_paid, part, second_payment, surplus},
    settle::{Locked, Settling},
};
use crate::{
    app::App,
    domain::{attempt_state::AttemptStatus, order_state::OrderStatus, refund_state::RefundReason},
    error::Error,
    store::{self, AttemptRow, Audit},
};

/// Money that is being recorded, and what its guest is told if it is a part.
struct Arriving {
    settling: Settling,
    confirmed: Confirmed,
    notice: Option<TransferNotice>,
}

/// What a person confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Confirmed {
    /// Of the request's key: the same key is the same money.
    pub id: Uuid,
    /// None: exactly what is still to be paid.
    pub amount_minor: Option<i64>,
    pub body_hash: Vec<u8>,
    pub note: String,
    pub audit: Audit,
}

/// Records the money once, with what it means for the order. Error::OrderNotPaid if there is no
/// balance that an amount left out could mean.
pub(crate) async fn arrive(
    app: &App,
    attempt: &AttemptRow,
    confirmed: Confirmed,
) -> Result<(), Error> {
    let settling = Settling {
        attempt: attempt.clone(),
        refund: RefundId::new(&app.sources),
        by: confirmed.audit.by.clone(),
    };
    let (order, _) = store::load(app, attempt.order_id.into()).await?;
    let reference = attempt.provider_ref.as_deref();
    let arriving = Arriving {
        settling,
        confirmed,
        notice: reference.and_then(|name| TransferNotice::of(app, &order, attempt, name)),
    };
    let record = app
        .db
        .run(arriving, |tx, arriving| Box::pin(record(tx, arriving)));
    record.await?;
    kit::failpoint!("payment.order_paid");
    app.nudges.orders.notify_one();
    app.nudges.refunds.notify_one();
    app.nudges.outbox.notify_one();
    Ok(())
}

async fn record(tx: &mut PgConnection, arriving: &Arriving) -> Result<(), Error> {
    let (settling, confirmed) = (&arriving.settling, &arriving.confirmed);
    let order = Locked::read(tx, settling.attempt.order_id.into()).await?;
    if is_replay(tx, confirmed).await? {
        return Ok(());
    }
    let before = store::find_attempt(tx, settling.attempt.id)
        .await?
        .ok_or(Error::OrderNotFound)?;
    let amount_minor = match confirmed.amount_minor {
        Some(amount) => amount,
        None => balance(order.status, &before).ok_or(Error::OrderNotPaid)?,
    };
    insert(tx, settling, confirmed, amount_minor).await?;
    let mut audit = confirmed.audit.clone();
    // What an amount that was left out meant is known only here.
    audit.after["amount_minor"] = json!(amount_minor);
    store::audit(tx, &audit).await?;
    let here = before.left_minor() + amount_minor;
    match order.status {
        OrderStatus::Mismatch => {
            store::note(tx, order.id, order.status, &settling.by, "payment").await?;
            Ok(())
        }
        status if !status.may_become(OrderStatus::Paid) => {
            not_needed(tx, order, settling, (before.status()?, amount_minor)).await
        }
        _ if here < before.amount_minor => {
            part(tx, order, settling, amount_minor).await?;
            match &arriving.notice {
                Some(notice) if before.is_open() => {
                    notice.tell(tx, before.amount_minor - here).await
                }
                _ => Ok(()),
            }
        }
        _ => {
            let id = before.id.into();
            store::advance_attempt(tx, id, AttemptStatus::Succeeded, None).await?;
            become_paid(tx, order, &before, &settling.by).await?;
            let over = here - before.amount_minor;
            if over > 0 {
                surplus(tx, order, settling, (over, RefundReason::Overpaid)).await?;
            }
            Ok(())
        }
    }
}

/// The order is paid. More on the payment that paid it is too much of that one; on another, it is a
/// second payment.
async fn not_needed(
    tx: &mut PgConnection,
    order: Locked,
    settling: &Settling,
    (before, amount_minor): (AttemptStatus, i64),
) -> Result<(), Error> {
    if before == AttemptStatus::Succeeded {
        return surplus(tx, order, settling, (amount_minor, RefundReason::Overpaid)).await;
    }
    let id = settling.attempt.id.into();
    store::advance_attempt(tx, id, AttemptStatus::Succeeded, None).await?;
    second_payment(tx, order, settling, amount_minor).await
}

/// What the attempt still waits for.
fn balance(order: OrderStatus, attempt: &AttemptRow) -> Option<i64> {
    let open = order.may_become(OrderStatus::Paid);
    Some(attempt.amount_minor - attempt.left_minor()).filter(|rest| open && *rest > 0)
}

async fn is_replay(tx: &mut PgConnection, confirmed: &Confirmed) -> Result<bool, Error> {
    let stored = sqlx::query_scalar!(
        "SELECT body_hash FROM manual_arrivals WHERE id = $1",
        confirmed.id
    );
    match stored.fetch_optional(tx).await? {
        None => Ok(false),
        Some(hash) if hash == confirmed.body_hash => Ok(true),
        Some(_) => Err(Error::KeyReused),
    }
}

async fn insert(
    tx: &mut PgConnection,
    settling: &Settling,
    confirmed: &Confirmed,
    amount_minor: i64,
) -> Result<(), Error> {
    let attempt = settling.attempt.id;
    sqlx::query!(
        "INSERT INTO manual_arrivals (id, attempt_id, amount_minor, body_hash, note, actor)
         VALUES ($1, $2, $3, $4, $5, $6)",
        confirmed.id,
        attempt,
        amount_minor,
        confirmed.body_hash,
        confirmed.note,
        settling.by.actor,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE payment_attempts
         SET captured_minor = captured_minor + $2, captured_currency = currency,
             captured_at = clock_timestamp()
         WHERE id = $1",
        attempt,
        amount_minor,
    )
    .execute(tx)
    .await?;
    Ok(())
}
