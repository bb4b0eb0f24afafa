//! Ending an order that is not paid: cancelled by the guest, or its time is over. The provider is told
//! first, and its answer "paid" is applied instead.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{checkout, inquire, settle};
use crate::{
    app::App,
    domain::attempt_state::AttemptStatus,
    error::Error,
    store::{self, AttemptRow, By, OrderRow, Step},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Yes,
    /// It moved on meanwhile, most likely because the money arrived: read it again.
    No,
}

/// `created | awaiting_payment → cancelled | expired`. The stock goes back in a step of its own.
pub(crate) async fn end(
    app: &App,
    order: &OrderRow,
    attempt: Option<&AttemptRow>,
    step: Step,
) -> Result<Ended, Error> {
    let open = attempt.filter(|attempt| attempt.is_open());
    if let Some(attempt) = open
        && close_attempt(app, order, attempt, &step.by).await? == Ended::No
    {
        return Ok(Ended::No);
    }
    let input = (step, open.map(|attempt| attempt.id));
    let moved = app.db.run(input, |tx, (step, closed)| {
        Box::pin(record(tx, step, *closed))
    });
    let moved = moved.await?;
    kit::failpoint!("payment.order_ended");
    app.nudges.orders.notify_one();
    Ok(if moved { Ended::Yes } else { Ended::No })
}

/// Also closes an attempt whose reference is not known yet: a provider that was asked for it a moment
/// before a crash may be showing its page.
async fn close_attempt(
    app: &App,
    order: &OrderRow,
    attempt: &AttemptRow,
    by: &By,
) -> Result<Ended, Error> {
    let provider = app
        .providers
        .get(&attempt.provider)
        .ok_or(Error::ProviderNotEnabled)?;
    let reference = checkout(app, order, attempt).await?.reference;
    let known = AttemptRow {
        provider_ref: Some(reference.clone()),
        ..attempt.clone()
    };
    match inquire::close(provider.as_ref(), &known, &reference).await? {
        None => Ok(Ended::Yes),
        Some(instead) => {
            settle(app, &known, instead, by.clone()).await?;
            Ok(Ended::No)
        }
    }
}

/// An attempt that this caller has not seen keeps the order open: it is to be closed first.
async fn record(tx: &mut PgConnection, step: &Step, closed: Option<Uuid>) -> Result<bool, Error> {
    let order = step.order.uuid();
    let locked = sqlx::query_scalar!("SELECT status FROM orders WHERE id = $1 FOR UPDATE", order);
    if locked.fetch_one(&mut *tx).await? != step.from.word() {
        return Ok(false);
    }
    if let Some(attempt) = closed {
        store::advance_attempt(tx, attempt.into(), AttemptStatus::Cancelled, None).await?;
    }
    let another = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM payment_attempts WHERE order_id = $1
               AND status IN ('created', 'requires_action', 'processing')) AS "open!""#,
        order,
    );
    if another.fetch_one(&mut *tx).await? {
        return Ok(false);
    }
    store::advance(tx, step).await
}
