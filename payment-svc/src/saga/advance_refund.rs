//! The steps of a refund. Each locks the order, moves the row only where its life goes on, and tells
//! in the same transaction whoever has to know: the guest, the order, a person.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{
    announce::{Announcement, Moment},
    follow_money::follow_money,
    send_back::{order_status, too_large},
};
use crate::{
    app::App,
    domain::{
        refund_state::{RefundStatus, ask_again_after},
        schedule::{next_check_after, retry_after},
    },
    error::Error,
    provider::{RefundState, RefundTruth},
    refunds::{self, RefundRow},
    store::{self, Audit, By},
};

/// The order's notes.
const REFUND_BY_HAND: &str = "refund_by_hand";
const REFUND_SUCCEEDED: &str = "refund_succeeded";
const REFUND_FAILED: &str = "refund_failed";

/// Who pays the money out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payer {
    Provider,
    /// The provider does not do that, or is not enabled any more.
    Person,
}

/// A step to take, with what no transaction can make.
#[derive(Clone)]
struct Moving<T> {
    refund: RefundRow,
    announcement: Announcement,
    by: By,
    what: T,
}

impl<T> Moving<T> {
    async fn of(app: &App, refund: &RefundRow, what: T, by: By) -> Result<Self, Error> {
        Ok(Self {
            refund: refund.clone(),
            announcement: Announcement::of(app, refund.order()).await?,
            by,
            what,
        })
    }
}

/// `requested | failed → submitted`. False if it went another way meanwhile.
pub(crate) async fn submit(
    app: &App,
    refund: &RefundRow,
    payer: Payer,
    by: By,
) -> Result<bool, Error> {
    let moving = Moving::of(app, refund, payer, by).await?;
    let submit = app.db.run(moving, |tx, moving| {
        Box::pin(async move {
            order_status(tx, moving.refund.order()).await?;
            let Some(refund) = locked(tx, &moving.refund).await? else {
                return Ok(false);
            };
            if !refund.status()?.may_become(RefundStatus::Submitted) {
                return Ok(false);
            }
            sqlx::query!(
                "UPDATE refunds SET status = 'submitted', step_failures = 0,
                     submitted_at = coalesce(submitted_at, clock_timestamp())
                 WHERE id = $1",
                refund.id,
            )
            .execute(&mut *tx)
            .await?;
            if refund.status()? == RefundStatus::Requested {
                let told = moving.announcement.of_refund(tx, &refund, Moment::Leaves);
                told.await?;
            }
            if moving.what == Payer::Person {
                hand_over(tx, &refund, &moving.by).await?;
            }
            Ok::<_, Error>(true)
        })
    });
    let submitted = submit.await?;
    app.nudges.outbox.notify_one();
    Ok(submitted)
}

/// A submitted refund that no provider pays out any more.
pub(crate) async fn leave_to_a_person(app: &App, refund: &RefundRow, by: By) -> Result<(), Error> {
    let leave = app.db.run((refund.clone(), by), |tx, (refund, by)| {
        Box::pin(async move {
            order_status(tx, refund.order()).await?;
            match locked(tx, refund).await? {
                Some(refund) if refund.status()? == RefundStatus::Submitted => {
                    hand_over(tx, &refund, by).await
                }
                _ => Ok::<_, Error>(()),
            }
        })
    });
    leave.await
}

/// What the provider says became of it. True if that was news.
pub(crate) async fn apply_truth(
    app: &App,
    refund: &RefundRow,
    truth: RefundTruth,
    by: By,
) -> Result<bool, Error> {
    let moving = Moving::of(app, refund, truth, by).await?;
    let apply = app.db.run(moving, |tx, moving| {
        Box::pin(async move {
            order_status(tx, moving.refund.order()).await?;
            let Some(refund) = locked(tx, &moving.refund).await? else {
                return Ok(false);
            };
            let reference = moving.what.reference.as_deref();
            match &moving.what.state {
                RefundState::Succeeded => pay_out(tx, &refund, reference, moving).await,
                RefundState::Pending => wait(tx, &refund, reference).await,
                RefundState::Failed {
                    reason,
                    final_: true,
                } => fail_for_good(tx, &refund, reason, &moving.by).await,
                RefundState::Failed { reason, .. } => fail(tx, &refund, reason, &moving.by).await,
            }
        })
    });
    let news = apply.await?;
    app.nudges.outbox.notify_one();
    Ok(news)
}

/// The money must not leave: there are no such tickets to make void.
pub(crate) async fn withdraw(
    app: &App,
    refund: &RefundRow,
    why: &str,
    by: By,
) -> Result<(), Error> {
    let input = (refund.clone(), why.to_owned(), by);
    let withdraw = app.db.run(input, |tx, (refund, why, by)| {
        Box::pin(async move {
            order_status(tx, refund.order()).await?;
            if let Some(refund) = locked(tx, refund).await? {
                fail_for_good(tx, &refund, why, by).await?;
            }
            Ok::<_, Error>(())
        })
    });
    withdraw.await
}

/// A person has paid out what no provider would. Error::RefundNotOpen while one still may, or where
/// tickets would have had to be void first; Error::RefundTooLarge if the money went another way.
pub(crate) async fn settle_by_hand(
    app: &App,
    refund: &RefundRow,
    audit: Audit,
) -> Result<RefundRow, Error> {
    let by = audit.by.clone();
    let moving = Moving::of(app, refund, audit, by).await?;
    let settle = app.db.run(moving, |tx, moving| {
        Box::pin(async move {
            order_status(tx, moving.refund.order()).await?;
            let refund = locked(tx, &moving.refund).await?;
            let refund = refund.ok_or(Error::NotFound("refund"))?;
            let is_left = refund.status()? == RefundStatus::FailedFinal;
            if !(is_left || refund.waits_for_a_person()) || refund.has_tickets_to_void() {
                return Err(Error::RefundNotOpen);
            }
            pay_out(tx, &refund, None, moving).await?;
            store::audit(tx, &moving.what).await?;
            let settled = refunds::find(tx, refund.refund_id()).await?;
            settled.ok_or(Error::NotFound("refund"))
        })
    });
    let settled = settle.await?;
    app.nudges.outbox.notify_one();
    Ok(settled)
}

/// The row as it stands now. Whoever moves it has locked its order.
async fn locked(tx: &mut PgConnection, refund: &RefundRow) -> Result<Option<RefundRow>, Error> {
    Ok(refunds::find(tx, refund.refund_id()).await?)
}

async fn pay_out<T>(
    tx: &mut PgConnection,
    refund: &RefundRow,
    reference: Option<&str>,
    moving: &Moving<T>,
) -> Result<bool, Error> {
    if !refund.status()?.may_become(RefundStatus::Succeeded) {
        return Ok(false);
    }
    sqlx::query!(
        "UPDATE refunds
         SET status = 'succeeded', provider_ref = coalesce($2, provider_ref), next_step_at = NULL,
             step_failures = 0, failure_reason = NULL, ended_at = clock_timestamp()
         WHERE id = $1",
        refund.id,
        reference,
    )
    .execute(&mut *tx)
    .await
    .map_err(too_large)?;
    note(tx, refund, &moving.by, REFUND_SUCCEEDED).await?;
    nobody_needs_to_look(tx, refund).await?;
    let status = order_status(tx, refund.order()).await?;
    follow_money(tx, refund.order(), status, &moving.by).await?;
    let told = moving.announcement.of_refund(tx, refund, Moment::PaidOut);
    told.await?;
    Ok(true)
}

/// On its way at the provider, which is asked again on the schedule.
async fn wait(
    tx: &mut PgConnection,
    refund: &RefundRow,
    reference: Option<&str>,
) -> Result<bool, Error> {
    let after = next_check_after(refund.checks).as_secs_f64();
    let waits = sqlx::query!(
        "UPDATE refunds
         SET status = 'submitted', provider_ref = coalesce($2, provider_ref), checks = checks + 1,
             step_failures = 0, next_step_at = clock_timestamp() + make_interval(secs => $3)
         WHERE id = $1 AND status IN ('submitted', 'failed')",
        refund.id,
        reference,
        after,
    );
    waits.execute(tx).await?;
    Ok(refund.provider_ref.as_deref() != reference)
}

/// The provider said no, and may say yes another time. It is asked by the same key: without a
/// reference, for the one of a failed refund leads nowhere.
async fn fail(
    tx: &mut PgConnection,
    refund: &RefundRow,
    why: &str,
    by: &By,
) -> Result<bool, Error> {
    if !refund.status()?.may_become(RefundStatus::Failed) {
        return Ok(false);
    }
    let after = ask_again_after(refund.failures.saturating_add(1)).as_secs_f64();
    sqlx::query!(
        "UPDATE refunds
         SET status = 'failed', failure_reason = $2, failures = failures + 1, checks = 0,
             step_failures = 0, provider_ref = NULL,
             next_step_at = clock_timestamp() + make_interval(secs => $3)
         WHERE id = $1",
        refund.id,
        why,
        after,
    )
    .execute(&mut *tx)
    .await?;
    note(tx, refund, by, REFUND_FAILED).await?;
    let why = format!("failed ({why}); it is tried again by itself.");
    look_at(tx, refund, &why).await?;
    Ok(true)
}

async fn fail_for_good(
    tx: &mut PgConnection,
    refund: &RefundRow,
    why: &str,
    by: &By,
) -> Result<bool, Error> {
    if !refund.status()?.may_become(RefundStatus::FailedFinal) {
        return Ok(false);
    }
    sqlx::query!(
        "UPDATE refunds
         SET status = 'failed_final', failure_reason = $2, failures = failures + 1,
             step_failures = 0, next_step_at = NULL, ended_at = clock_timestamp()
         WHERE id = $1",
        refund.id,
        why,
    )
    .execute(&mut *tx)
    .await?;
    note(tx, refund, by, REFUND_FAILED).await?;
    let rest = if refund.has_tickets_to_void() {
        "No money has left; order another refund if one is due."
    } else {
        "Pay it out by hand, then settle it."
    };
    look_at(tx, refund, &format!("failed for good ({why}). {rest}")).await?;
    Ok(true)
}

async fn hand_over(tx: &mut PgConnection, refund: &RefundRow, by: &By) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE refunds SET next_step_at = NULL, step_failures = 0 WHERE id = $1",
        refund.id
    )
    .execute(&mut *tx)
    .await?;
    note(tx, refund, by, REFUND_BY_HAND).await?;
    let why = "the provider does not pay it out. Pay it out by hand, then settle it.";
    look_at(tx, refund, why).await
}

async fn note(tx: &mut PgConnection, refund: &RefundRow, by: &By, what: &str) -> Result<(), Error> {
    let status = order_status(tx, refund.order()).await?;
    store::note(tx, refund.order(), status, by, what).await?;
    Ok(())
}

/// Puts the order in front of a person because of this refund.
async fn look_at(tx: &mut PgConnection, refund: &RefundRow, why: &str) -> Result<(), Error> {
    let why = format!("{} {why}", about(refund));
    store::ask_for_attention(tx, refund.order(), &why).await?;
    Ok(())
}

/// Takes back whatever was asked because of this refund; another reason stays.
async fn nobody_needs_to_look(tx: &mut PgConnection, refund: &RefundRow) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE orders SET needs_attention = NULL
         WHERE id = $1 AND starts_with(needs_attention, $2)",
        refund.order_id,
        about(refund),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn about(refund: &RefundRow) -> String {
    format!("Refund {}:", refund.number)
}

/// After so many steps in a row that could not be taken a person is told.
const FAILURES_TO_TELL: i32 = 5;

/// Tries again later, if nobody has set another time since `lease`.
pub(crate) async fn postpone(
    app: &App,
    refund: &RefundRow,
    lease: OffsetDateTime,
    failures: i32,
) -> Result<(), Error> {
    let after = retry_after(failures).as_secs_f64();
    let input = (refund.clone(), lease, failures, after);
    let postpone = app.db.run(input, |tx, (refund, lease, failures, after)| {
        Box::pin(async move {
            order_status(tx, refund.order()).await?;
            sqlx::query!(
                "UPDATE refunds
                 SET step_failures = $3, next_step_at = clock_timestamp() + make_interval(secs => $4)
                 WHERE id = $1 AND next_step_at = $2",
                refund.id,
                lease,
                failures,
                after,
            )
            .execute(&mut *tx)
            .await?;
            if *failures == FAILURES_TO_TELL {
                look_at(tx, refund, "does not get on; it is tried again by itself.").await?;
            }
            Ok::<_, Error>(())
        })
    });
    postpone.await
}
