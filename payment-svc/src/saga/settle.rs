//! What a provider reported changes an attempt and its order, once, in one transaction. Repeated,
//! late and out-of-order reports come here too and find nothing left to change.

use base::{OrderId, RefundId};
use sqlx::PgConnection;

use super::{
    capture::{Arrival, differs, pay},
    pay_all::Payment,
    send_back::order_status,
};
use crate::{
    app::App,
    domain::{attempt_state::AttemptStatus, order_state::OrderStatus, timeline::PAYMENT_FAILED},
    error::Error,
    provider::{PaymentStatus, Truth},
    store::{self, AttemptRow, By, Step},
};

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The money is here, as it was asked for.
    Paid(Arrival),
    /// Declined, and closed at the provider.
    Failed,
    /// Closed at the provider without a payment.
    Closed,
    /// The guest has done their part; the provider does not know the outcome yet.
    Pending,
    /// Amount, currency or reference are not what was asked for; the money, if it is here.
    Differs(Option<Arrival>),
}

impl Report {
    /// What the provider's own words mean for this attempt. None: it is still open there.
    pub fn read(truth: &Truth, attempt: &AttemptRow) -> Option<Self> {
        let same = truth.amount_minor == attempt.amount_minor
            && truth.currency == attempt.currency
            && attempt.provider_ref.as_ref() == Some(&truth.reference);
        match truth.status {
            PaymentStatus::Paid if !same => Some(Self::Differs(Some(Arrival::of(truth)))),
            PaymentStatus::Paid => Some(Self::Paid(Arrival::of(truth))),
            PaymentStatus::Failed => Some(Self::Failed),
            PaymentStatus::Closed => Some(Self::Closed),
            PaymentStatus::Pending => Some(Self::Pending),
            PaymentStatus::Open | PaymentStatus::Declined => None,
        }
    }
}

/// A report that is being applied, and the name of the refund it may cause.
pub(super) struct Settling {
    pub attempt: AttemptRow,
    pub refund: RefundId,
    pub by: By,
}

/// Applies a report. Answers the order's status afterwards.
pub(crate) async fn settle(
    app: &App,
    attempt: &AttemptRow,
    report: Report,
    by: By,
) -> Result<OrderStatus, Error> {
    if let Report::Paid(arrival) = &report
        && app
            .lanes
            .payments
            .submit(Payment::new(attempt, arrival, &by))
            .await?
    {
        kit::failpoint!("payment.order_paid");
        app.nudges.orders.notify_one();
        return Ok(OrderStatus::Paid);
    }
    let settling = Settling {
        attempt: attempt.clone(),
        refund: RefundId::new(&app.sources),
        by,
    };
    let apply = app.db.run((settling, report), |tx, (settling, report)| {
        Box::pin(apply(tx, settling, report))
    });
    let status = apply.await?;
    kit::failpoint!("payment.order_paid");
    app.nudges.orders.notify_one();
    app.nudges.refunds.notify_one();
    Ok(status)
}

async fn apply(
    tx: &mut PgConnection,
    settling: &Settling,
    report: &Report,
) -> Result<OrderStatus, Error> {
    let id = settling.attempt.order_id.into();
    let order = Locked::read(tx, id).await?;
    match report {
        Report::Paid(arrival) => pay(tx, order, settling, arrival).await?,
        Report::Failed => fail(tx, order, settling).await?,
        Report::Closed => close(tx, order, settling).await?,
        Report::Pending => wait(tx, order, settling).await?,
        Report::Differs(arrival) => differs(tx, order, settling, arrival.as_ref()).await?,
    }
    order_status(tx, id).await
}

/// Reports about one order take turns, so that what each reads here is still so when it writes.
#[derive(Clone, Copy)]
pub(super) struct Locked {
    pub id: OrderId,
    pub status: OrderStatus,
}

impl Locked {
    pub async fn read(tx: &mut PgConnection, id: OrderId) -> Result<Self, Error> {
        let status = order_status(tx, id).await?;
        Ok(Self { id, status })
    }

    pub fn to(self, to: OrderStatus, by: &By, reason: &str) -> Step {
        Step {
            order: self.id,
            from: self.status,
            to,
            by: by.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// A decline ends the attempt, not the order: another one may start.
async fn fail(tx: &mut PgConnection, order: Locked, settling: &Settling) -> Result<(), Error> {
    let id = settling.attempt.id.into();
    if store::advance_attempt(tx, id, AttemptStatus::Failed, Some("declined")).await? {
        store::note(tx, order.id, order.status, &settling.by, PAYMENT_FAILED).await?;
        open_again(tx, order, settling).await?;
    }
    Ok(())
}

async fn close(tx: &mut PgConnection, order: Locked, settling: &Settling) -> Result<(), Error> {
    let id = settling.attempt.id.into();
    if store::advance_attempt(tx, id, AttemptStatus::Cancelled, None).await? {
        open_again(tx, order, settling).await?;
    }
    Ok(())
}

/// An order that waited for the outcome of this attempt has it now.
async fn open_again(
    tx: &mut PgConnection,
    order: Locked,
    settling: &Settling,
) -> Result<(), Error> {
    if order.status == OrderStatus::Processing {
        let step = order.to(OrderStatus::AwaitingPayment, &settling.by, "payment_ended");
        store::advance(tx, &step).await?;
    }
    Ok(())
}

/// While the outcome is unknown no second attempt may start.
async fn wait(tx: &mut PgConnection, order: Locked, settling: &Settling) -> Result<(), Error> {
    let id = settling.attempt.id.into();
    if store::advance_attempt(tx, id, AttemptStatus::Processing, None).await?
        && order.status == OrderStatus::AwaitingPayment
    {
        let step = order.to(OrderStatus::Processing, &settling.by, "payment_pending");
        store::advance(tx, &step).await?;
    }
    Ok(())
}
