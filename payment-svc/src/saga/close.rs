//! Ending an order that is not paid: cancelled by the guest, an admin or the end of its event, or its
//! time is over. The provider is told first, and its answer "paid" is applied instead.

use base::RefundId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    checkout, inquire,
    send_back::order_status,
    send_back_all::{refund_names, send_back_all},
    settle::{Report, settle},
};
use crate::{
    app::App,
    domain::{attempt_state::AttemptStatus, order_state::OrderStatus, refund_state::RefundReason},
    error::Error,
    store::{self, AttemptRow, Audit, By, OrderRow, Step},
};

/// The step that ends an order, and what a person did to cause it.
pub(crate) struct Ending {
    pub step: Step,
    pub audit: Option<Audit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Yes,
    /// It moved on meanwhile, most likely because the money arrived: read it again.
    No,
}

/// `created | awaiting_payment → cancelled | expired`, and `mismatch → cancelled` where nothing had
/// come. A part that had arrived goes back. The stock goes back in a step of its own.
pub(crate) async fn end(
    app: &App,
    order: &OrderRow,
    attempt: Option<&AttemptRow>,
    ending: Ending,
) -> Result<Ended, Error> {
    let open = attempt.filter(|attempt| attempt.is_open());
    if let Some(attempt) = open
        && let Some((known, instead)) = close_at_provider(app, order, attempt).await?
    {
        settle(app, &known, instead, ending.step.by).await?;
        return Ok(Ended::No);
    }
    let closing = Closing {
        names: refund_names(app, order.order_id()).await?,
        attempt: open.map(|attempt| attempt.id),
        ending,
    };
    let moved = app
        .db
        .run(closing, |tx, closing| Box::pin(record(tx, closing)));
    let moved = moved.await?;
    kit::failpoint!("payment.order_ended");
    app.nudges.orders.notify_one();
    app.nudges.refunds.notify_one();
    Ok(if moved { Ended::Yes } else { Ended::No })
}

/// Closes an open attempt for itself: one whose outcome is unknown, or one that a paid order does not
/// need. Answers the order's status afterwards.
pub(crate) async fn try_to_close(
    app: &App,
    order: &OrderRow,
    attempt: &AttemptRow,
    by: By,
) -> Result<OrderStatus, Error> {
    match close_at_provider(app, order, attempt).await? {
        Some((known, instead)) => settle(app, &known, instead, by).await,
        None => settle(app, attempt, Report::Closed, by).await,
    }
}

/// What happened instead, if it did not close.
///
/// An attempt without a reference is created there first. A provider that was asked for it a moment
/// before a crash may be showing its page already, and no provider can be asked "do you know this
/// key?": only the same request with the same key finds that page, and only its reference closes it.
/// Where nothing was there, this makes a page that nobody has seen and closes it.
async fn close_at_provider(
    app: &App,
    order: &OrderRow,
    attempt: &AttemptRow,
) -> Result<Option<(AttemptRow, Report)>, Error> {
    let provider = app
        .providers
        .get(&attempt.provider)
        .ok_or(Error::ProviderNotEnabled)?;
    // A refused one has ended already: there is nothing to close.
    let Some(page) = checkout(app, order, attempt).await? else {
        return Ok(None);
    };
    let known = AttemptRow {
        provider_ref: Some(page.reference.clone()),
        ..attempt.clone()
    };
    let instead = inquire::close(provider.as_ref(), &known, &page.reference).await?;
    Ok(instead.map(|report| (known, report)))
}

struct Closing {
    ending: Ending,
    /// The attempt that the provider has closed.
    attempt: Option<Uuid>,
    names: Vec<(Uuid, RefundId)>,
}

/// An attempt that this caller has not seen keeps the order open: it is to be closed first.
async fn record(tx: &mut PgConnection, closing: &Closing) -> Result<bool, Error> {
    let step = &closing.ending.step;
    if order_status(tx, step.order).await? != step.from {
        return Ok(false);
    }
    if let Some(attempt) = closing.attempt {
        store::advance_attempt(tx, attempt.into(), AttemptStatus::Cancelled, None).await?;
    }
    let attempts = store::attempts(tx, step.order).await?;
    let captured = attempts.iter().any(|attempt| attempt.captured_minor > 0);
    let decided_by_a_person = step.from == OrderStatus::Mismatch && captured;
    if decided_by_a_person || attempts.iter().any(AttemptRow::is_open) {
        return Ok(false);
    }
    if let Some(audit) = &closing.ending.audit {
        store::audit(tx, audit).await?;
    }
    if !store::advance(tx, step).await? {
        return Ok(false);
    }
    let reason = RefundReason::OrderEnded;
    send_back_all(tx, (step.order, &closing.names), reason, &step.by).await?;
    Ok(true)
}
