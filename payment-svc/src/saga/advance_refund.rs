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
        schedule::{SELDOM, next_check_after, retry_after},
    },
    error::Error,
    provider::{RefundState, RefundTruth},
    refunds::{self, RefundRow},
    store::{self, By},
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

impl Moving<RefundTruth> {
    async fn apply(&self, tx: &mut PgConnection, refund: &RefundRow) -> Result<bool, Error> {
        let reference = self.what.reference.as_deref();
        match &self.what.state {
            RefundState::Succeeded => {
                pay_out(tx, refund, reference, (&self.announcement, &self.by)).await
            }
            RefundState::Pending => wait(tx, refund, reference).await,
            RefundState::Failed { .. } if !self.is_said_of(refund)? => Ok(false),
            RefundState::Failed { reason, final_ } => {
                if *final_ || refund.status()?.is_paid_out() {
                    fail_for_good(tx, refund, reason, &self.by).await
                } else {
                    fail(tx, refund, reason, &self.by).await
                }
            }
        }
    }

    /// A no to an earlier key says nothing of the next one, and none of them of what a person paid out.
    fn is_said_of(&self, now: &RefundRow) -> Result<bool, Error> {
        Ok(if now.status()?.is_paid_out() {
            self.what.reference.is_some() && self.what.reference == now.provider_ref
        } else {
            self.refund.failures == now.failures
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
            store::refresh_attention(tx, refund.order()).await?;
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
                    hand_over(tx, &refund, by).await?;
                    store::refresh_attention(tx, refund.order()).await?;
                }
                _ => {}
            }
            Ok::<_, Error>(())
        })
    });
    leave.await
}

/// What the provider says became of it, when asked about it as it was in `refund`. True if that was news.
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
            let news = moving.apply(tx, &refund).await?;
            store::refresh_attention(tx, refund.order()).await?;
            Ok::<_, Error>(news)
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
                let why = format!(
                    "Refund {} failed for good ({why}). No money has left; order another refund if one is due.",
                    refund.number
                );
                store::ask_for_attention(tx, refund.order(), &why).await?;
            }
            Ok::<_, Error>(())
        })
    });
    withdraw.await
}

/// The row as it stands now. Whoever moves it has locked its order.
pub(super) async fn locked(
    tx: &mut PgConnection,
    refund: &RefundRow,
) -> Result<Option<RefundRow>, Error> {
    Ok(refunds::find(tx, refund.refund_id()).await?)
}

/// The provider's name of the money is the one it left by: none where a person paid it out, whatever it
/// was called before.
pub(super) async fn pay_out(
    tx: &mut PgConnection,
    refund: &RefundRow,
    reference: Option<&str>,
    (announcement, by): (&Announcement, &By),
) -> Result<bool, Error> {
    if !refund.status()?.may_become(RefundStatus::Succeeded) {
        return Ok(false);
    }
    sqlx::query!(
        "UPDATE refunds
         SET status = 'succeeded', provider_ref = $2, next_step_at = NULL, step_failures = 0,
             failure_reason = NULL, ended_at = clock_timestamp(),
             paid_out_at = coalesce(paid_out_at, clock_timestamp())
         WHERE id = $1",
        refund.id,
        reference,
    )
    .execute(&mut *tx)
    .await
    .map_err(too_large)?;
    note(tx, refund, by, REFUND_SUCCEEDED).await?;
    let status = order_status(tx, refund.order()).await?;
    follow_money(tx, refund.order(), status, by).await?;
    // Its guest was told, if it came back and leaves once more.
    if refund.paid_out_at.is_none() {
        let told = announcement.of_refund(tx, refund, Moment::PaidOut);
        told.await?;
    }
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
             step_failures = 0, failure_reason = NULL,
             next_step_at = clock_timestamp() + make_interval(secs => $3)
         WHERE id = $1 AND status IN ('submitted', 'failed')",
        refund.id,
        reference,
        after,
    );
    waits.execute(tx).await?;
    Ok(refund.provider_ref.as_deref() != reference)
}

/// The provider said no, and may say yes another time. It is asked by the next key, and without a
/// reference, for the one of a failed refund leads nowhere.
async fn fail(
    tx: &mut PgConnection,
    refund: &RefundRow,
    why: &str,
    by: &By,
) -> Result<bool, Error> {
    if refund.status()? != RefundStatus::Submitted {
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
    // It may have been paid out before.
    let status = order_status(tx, refund.order()).await?;
    follow_money(tx, refund.order(), status, by).await?;
    Ok(true)
}

async fn hand_over(tx: &mut PgConnection, refund: &RefundRow, by: &By) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE refunds SET next_step_at = NULL, step_failures = 0 WHERE id = $1",
        refund.id
    )
    .execute(&mut *tx)
    .await?;
    note(tx, refund, by, REFUND_BY_HAND).await
}

async fn note(tx: &mut PgConnection, refund: &RefundRow, by: &By, what: &str) -> Result<(), Error> {
    let status = order_status(tx, refund.order()).await?;
    store::note(tx, refund.order(), status, by, what).await?;
    Ok(())
}

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
            store::refresh_attention(tx, refund.order()).await?;
            Ok::<_, Error>(())
        })
    });
    postpone.await
}

/// Its provider knows what became of it, and is not enabled: a person is asked to enable it, and it is
/// looked at seldom. Nobody may pay it out meanwhile.
pub(crate) async fn wait_for_provider(
    app: &App,
    refund: &RefundRow,
    lease: OffsetDateTime,
) -> Result<(), Error> {
    let wait = app.db.run((refund.clone(), lease), |tx, (refund, lease)| {
        Box::pin(async move {
            order_status(tx, refund.order()).await?;
            sqlx::query!(
                "UPDATE refunds
                 SET failure_reason = $3, step_failures = 0,
                     next_step_at = clock_timestamp() + make_interval(secs => $4)
                 WHERE id = $1 AND next_step_at = $2",
                refund.id,
                lease,
                store::SWITCHED_OFF,
                SELDOM.as_secs_f64(),
            )
            .execute(&mut *tx)
            .await?;
            store::refresh_attention(tx, refund.order()).await?;
            Ok::<_, Error>(())
        })
    });
    wait.await
}
