//! Drives every order to its end from its stored state, whoever crashed where. An order is claimed by
//! a short statement that says when it is due again; the work is outside of any transaction, and each
//! step may be repeated.

use std::{sync::Arc, time::Duration};

use base::OrderId;
use futures::future::join_all;
use kit::ErrorReason;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{order_state::OrderStatus, schedule},
    error::{Error, Refusal},
    saga::{self, Bound},
    store::{self, AttemptRow, By, OrderRow, Step},
};

const BATCH_ROWS: i64 = 16;
/// An order whose driver crashed comes again after this long.
const LEASE_SECS: f64 = 20.0;
/// An order that was never bound can only go on by its guest, who has this long.
const UNBOUND_LIMIT_SECS: f64 = 60.0;
const ACTOR: &str = "saga";

struct Claim {
    id: Uuid,
    /// The lease. Whoever sets another time wants an earlier look, and keeps it.
    lease: OffsetDateTime,
    step_failures: i32,
    traceparent: Option<String>,
}

/// When to look at the order again.
enum Next {
    /// As its new status says, or never.
    Settled,
    After(Duration),
    /// At this time, or when its time to pay is over if that comes first.
    Check {
        after: Duration,
        pay_by: Option<OffsetDateTime>,
    },
}

/// True if there may be more.
pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let due = claim(&app).await?;
    let more = due.len() as i64 == BATCH_ROWS;
    let work = due.iter().map(|claim| {
        let step = drive_or_retry(&app, claim);
        super::resume("drive order", claim.traceparent.as_deref(), step)
    });
    for outcome in join_all(work).await {
        outcome?;
    }
    Ok(more)
}

async fn claim(app: &App) -> Result<Vec<Claim>, Error> {
    let claim = app.db.run((), |tx, ()| {
        Box::pin(async move {
            let due = sqlx::query_as!(
                Claim,
                r#"UPDATE orders SET next_step_at = clock_timestamp() + make_interval(secs => $2)
                   WHERE id IN (
                       SELECT id FROM orders WHERE next_step_at <= clock_timestamp()
                       ORDER BY next_step_at
                       LIMIT $1
                       FOR UPDATE SKIP LOCKED)
                   RETURNING id, next_step_at AS "lease!", step_failures, traceparent"#,
                BATCH_ROWS,
                LEASE_SECS,
            );
            Ok::<_, Error>(due.fetch_all(tx).await?)
        })
    });
    claim.await
}

/// Fails only if the database does.
async fn drive_or_retry(app: &App, claim: &Claim) -> Result<(), Error> {
    match drive(app, claim.id.into()).await {
        Ok(next) => schedule_next(app, claim, next, 0).await,
        Err(error) => {
            tracing::warn!(order = %claim.id, %error, "step failed, trying again");
            let failures = claim.step_failures.saturating_add(1);
            let next = Next::After(schedule::retry_after(failures));
            schedule_next(app, claim, next, failures).await
        }
    }
}

async fn drive(app: &App, id: OrderId) -> Result<Next, Error> {
    let (order, attempt) = store::load(app, id).await?;
    let open = attempt.filter(|attempt| attempt.is_open());
    match order.status()? {
        OrderStatus::Created => bind_or_cancel(app, &order).await,
        OrderStatus::AwaitingPayment if order.overdue => expire(app, &order, open.as_ref()).await,
        OrderStatus::AwaitingPayment | OrderStatus::Processing => match open {
            Some(attempt) => follow(app, &order, &attempt).await,
            None => Ok(Next::Check {
                after: schedule::next_check_after(i32::MAX),
                pay_by: order.pay_by,
            }),
        },
        OrderStatus::Paid => {
            saga::fulfil(app, &order, By::now(ACTOR)).await?;
            Ok(Next::Settled)
        }
        OrderStatus::Expired | OrderStatus::Cancelled if !order.stock_released => {
            saga::release(app, id).await?;
            Ok(Next::Settled)
        }
        _ => Ok(Next::Settled),
    }
}

/// Without the hold's secret ticket-svc says yes only if the order is bound already.
async fn bind_or_cancel(app: &App, order: &OrderRow) -> Result<Next, Error> {
    match saga::bind(app, order, None, By::now(ACTOR)).await? {
        Bound::Yes => Ok(Next::After(Duration::ZERO)),
        Bound::Refused(_) if order.age_secs < UNBOUND_LIMIT_SECS => {
            let rest = UNBOUND_LIMIT_SECS - order.age_secs;
            Ok(Next::After(Duration::from_secs_f64(rest)))
        }
        Bound::Refused(_) => {
            let refusal = Refusal {
                reason: ErrorReason::OrderNotOpen,
                detail: "The order was not completed in time. Place a new one.".to_owned(),
            };
            saga::refuse(app, order.order_id(), refusal, By::now(ACTOR)).await?;
            Ok(Next::Settled)
        }
    }
}

/// The provider is asked for a page, or how the payment stands.
async fn follow(app: &App, order: &OrderRow, attempt: &AttemptRow) -> Result<Next, Error> {
    let checks = if attempt.provider_ref.is_none() {
        saga::checkout(app, order, attempt).await?;
        attempt.checks
    } else {
        if saga::inquire(app, attempt, By::now(&attempt.provider))
            .await?
            .is_some()
        {
            return Ok(Next::After(Duration::ZERO));
        }
        count_check(app, attempt.id).await?;
        attempt.checks + 1
    };
    Ok(Next::Check {
        after: schedule::next_check_after(checks),
        pay_by: order.pay_by,
    })
}

async fn count_check(app: &App, attempt: Uuid) -> Result<(), Error> {
    let count = app.db.run(attempt, |tx, attempt| {
        Box::pin(async move {
            sqlx::query!(
                "UPDATE payment_attempts SET checks = checks + 1 WHERE id = $1",
                attempt
            )
            .execute(tx)
            .await?;
            Ok::<_, Error>(())
        })
    });
    count.await
}

/// The guest's time is over. The provider's last word goes first.
async fn expire(app: &App, order: &OrderRow, open: Option<&AttemptRow>) -> Result<Next, Error> {
    let step = Step {
        order: order.order_id(),
        from: OrderStatus::AwaitingPayment,
        to: OrderStatus::Expired,
        by: By::now(ACTOR),
        reason: "time_over".to_owned(),
    };
    saga::end(app, order, open, step).await?;
    Ok(Next::After(Duration::ZERO))
}

/// Only while the lease is ours: a transition or a new attempt has set a time of its own.
async fn schedule_next(app: &App, claim: &Claim, next: Next, failures: i32) -> Result<(), Error> {
    let (after_secs, pay_by) = match next {
        Next::Settled => (None, None),
        Next::After(after) => (Some(after.as_secs_f64()), None),
        Next::Check { after, pay_by } => (Some(after.as_secs_f64()), pay_by),
    };
    let input = (claim.id, claim.lease, after_secs, pay_by, failures);
    let set = app
        .db
        .run(input, |tx, (id, lease, after_secs, pay_by, failures)| {
            Box::pin(async move {
                sqlx::query!(
                    "UPDATE orders
                 SET step_failures = $5,
                     next_step_at = least(clock_timestamp() + make_interval(secs => $3), $4)
                 WHERE id = $1 AND next_step_at = $2",
                    id,
                    lease,
                    *after_secs,
                    *pay_by,
                    failures,
                )
                .execute(tx)
                .await?;
                Ok::<_, Error>(())
            })
        });
    set.await
}
