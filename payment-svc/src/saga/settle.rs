//! What a provider reported changes an attempt and its order, once, in one transaction. Repeated,
//! late and out-of-order reports come here too and find nothing left to change.

use base::OrderId;
use sqlx::PgConnection;

use crate::{
    app::App,
    domain::{
        attempt_state::AttemptStatus,
        order_state::OrderStatus,
        timeline::{PAYMENT_FAILED, SECOND_PAYMENT},
    },
    error::Error,
    provider::{PaymentStatus, Truth},
    store::{self, AttemptRow, By, Step},
};

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The money is here.
    Paid,
    /// Declined, and closed at the provider.
    Failed,
    /// Closed at the provider without a payment.
    Closed,
    /// Amount, currency or reference are not what was asked for.
    Differs,
}

impl Report {
    /// What the provider's own words mean for this attempt. None: it is still open there.
    pub fn read(truth: &Truth, attempt: &AttemptRow) -> Option<Self> {
        let same = truth.amount_minor == attempt.amount_minor
            && truth.currency == attempt.currency
            && attempt.provider_ref.as_ref() == Some(&truth.reference);
        match truth.status {
            PaymentStatus::Paid if !same => Some(Self::Differs),
            PaymentStatus::Paid => Some(Self::Paid),
            PaymentStatus::Failed => Some(Self::Failed),
            PaymentStatus::Closed => Some(Self::Closed),
            PaymentStatus::Open | PaymentStatus::Declined => None,
        }
    }
}

/// Applies a report. Answers the order's status afterwards.
pub(crate) async fn settle(
    app: &App,
    attempt: &AttemptRow,
    report: Report,
    by: By,
) -> Result<OrderStatus, Error> {
    let input = (attempt.clone(), report, by);
    let apply = app.db.run(input, |tx, (attempt, report, by)| {
        Box::pin(async move {
            let order = lock_order(tx, attempt.order_id.into()).await?;
            match report {
                Report::Paid => pay(tx, order, attempt, by).await?,
                Report::Failed => fail(tx, order, attempt, by).await?,
                Report::Closed => {
                    store::advance_attempt(tx, attempt.id.into(), AttemptStatus::Cancelled, None)
                        .await?;
                }
                Report::Differs => quarantine(tx, order, attempt, by).await?,
            }
            Ok::<_, Error>(lock_order(tx, attempt.order_id.into()).await?.status)
        })
    });
    let status = apply.await?;
    kit::failpoint!("payment.order_paid");
    app.nudges.orders.notify_one();
    Ok(status)
}

#[derive(Clone, Copy)]
struct Locked {
    id: OrderId,
    status: OrderStatus,
}

impl Locked {
    fn to(self, to: OrderStatus, by: &By, reason: &str) -> Step {
        Step {
            order: self.id,
            from: self.status,
            to,
            by: by.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// Reports about one order take turns, so that what each reads here is still so when it writes.
async fn lock_order(tx: &mut PgConnection, id: OrderId) -> Result<Locked, Error> {
    let status = sqlx::query_scalar!(
        "SELECT status FROM orders WHERE id = $1 FOR UPDATE",
        id.uuid()
    );
    let status = status.fetch_one(tx).await?;
    let status = status
        .parse()
        .map_err(|_| Error::Broken("an order has an unknown status"))?;
    Ok(Locked { id, status })
}

async fn pay(
    tx: &mut PgConnection,
    order: Locked,
    attempt: &AttemptRow,
    by: &By,
) -> Result<(), Error> {
    if !store::advance_attempt(tx, attempt.id.into(), AttemptStatus::Succeeded, None).await? {
        return Ok(());
    }
    if order.status == OrderStatus::Mismatch {
        // The money is recorded; what becomes of the order is for a person to decide.
        store::note(tx, order.id, order.status, by, "payment").await?;
        return Ok(());
    }
    if !order.status.may_become(OrderStatus::Paid) {
        // Another attempt had paid already. The money is real, so it is recorded and shown.
        store::note(tx, order.id, order.status, by, SECOND_PAYMENT).await?;
        let why = "A second payment arrived; it is to be refunded in full.";
        store::ask_for_attention(tx, order.id, why).await?;
        return Ok(());
    }
    let late = matches!(order.status, OrderStatus::Expired | OrderStatus::Cancelled);
    let reason = if late { "late_payment" } else { "payment" };
    store::advance(tx, &order.to(OrderStatus::Paid, by, reason)).await?;
    sqlx::query!(
        "UPDATE orders SET payment_ref = $2 WHERE id = $1",
        order.id.uuid(),
        attempt.provider_ref,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A decline ends the attempt, not the order: another one may start.
async fn fail(
    tx: &mut PgConnection,
    order: Locked,
    attempt: &AttemptRow,
    by: &By,
) -> Result<(), Error> {
    let id = attempt.id.into();
    if store::advance_attempt(tx, id, AttemptStatus::Failed, Some("declined")).await? {
        store::note(tx, order.id, order.status, by, PAYMENT_FAILED).await?;
    }
    Ok(())
}

/// Nothing goes on by itself here; the attempt stays as it is, so that no second one can start.
async fn quarantine(
    tx: &mut PgConnection,
    order: Locked,
    attempt: &AttemptRow,
    by: &By,
) -> Result<(), Error> {
    let why = "The provider reports another amount, currency or reference than was asked for.";
    store::ask_for_attention(tx, order.id, why).await?;
    if order.status.may_become(OrderStatus::Mismatch) {
        store::advance(tx, &order.to(OrderStatus::Mismatch, by, "payment_differs")).await?;
        store::advance_attempt(tx, attempt.id.into(), AttemptStatus::Processing, None).await?;
    }
    Ok(())
}
