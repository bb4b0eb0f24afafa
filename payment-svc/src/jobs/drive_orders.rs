//! Drives every order to its end from its stored state, whoever crashed where. An order is claimed by
//! a short statement that says when it is due again; the work is outside of any transaction, and each
//! step may be repeated.

use std::{sync::Arc, time::Duration};

use base::OrderId;
use kit::ErrorReason;
use time::OffsetDateTime;
use uuid::Uuid;

use super::room::{Room, count};
use crate::{
    app::App,
    domain::{order_state::OrderStatus, schedule},
    error::{Error, Refusal},
    saga::{self, Bound, Ending},
    store::{self, AttemptRow, By, Loaded, OrderRow, Step},
};

/// An order whose driver crashed comes again after this long.
const LEASE_SECS: f64 = 20.0;
/// An order that was never bound can only go on by its guest, who has this long.
const UNBOUND_LIMIT_SECS: f64 = 60.0;
const ACTOR: &str = "saga";
const SWITCHED_OFF: &str = "A payment is open at a provider that was switched off. Enable the provider, \
    so that it can be asked what became of the payment.";

/// One failure may be a restart somewhere; so many in a row want a look.
const FAILURES_TO_TELL: i32 = 5;
const STEP_FAILS: &str =
    "Its next step fails again and again. The log of payment-svc says why; it is tried on.";

struct Claim {
    id: Uuid,
    /// The lease. Whoever sets another time wants an earlier look, and keeps it.
    lease: OffsetDateTime,
    step_failures: i32,
    traceparent: Option<String>,
}

/// When to look at the order again.
enum Next {
    /// A transition has said so, in its own statement.
    Said,
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
pub(super) async fn round(app: Arc<App>, room: Arc<Room>) -> anyhow::Result<bool> {
    let places = room.places().await?;
    let due = claim(&app, count(&places)).await?;
    let more = due.len() == places.len();
    if due.is_empty() {
        return Ok(false);
    }
    let ids = due.iter().map(|claim| claim.id).collect();
    // Where this fails, each tries alone, and says when it is tried again.
    let mut loaded = store::load_all(&app, ids).await.unwrap_or_default();
    for (claim, place) in due.into_iter().zip(places) {
        let (shared, loaded) = (app.clone(), loaded.remove(&claim.id));
        app.tasks.spawn(async move {
            let step = drive_or_retry(&shared, &claim, loaded);
            let traceparent = claim.traceparent.as_deref();
            if let Err(error) = super::resume("drive order", traceparent, step).await {
                // Its lease runs out, and somebody takes it up.
                tracing::warn!(order = %claim.id, %error, "the next step could not be scheduled");
            }
            drop(place);
        });
    }
    Ok(more)
}

async fn claim(app: &App, rows: i64) -> Result<Vec<Claim>, Error> {
    let claim = app.queue.run_statement(rows, |tx, rows| {
        Box::pin(async move {
            let due = sqlx::query_as!(
                Claim,
                r#"UPDATE orders SET next_step_at = clock_timestamp() + make_interval(secs => $2)
                   WHERE id IN (
                       SELECT id FROM orders WHERE next_step_at <= statement_timestamp()
                       ORDER BY next_step_at
                       LIMIT $1
                       FOR UPDATE SKIP LOCKED)
                   RETURNING id, next_step_at AS "lease!", step_failures, traceparent"#,
                *rows,
                LEASE_SECS,
            );
            Ok::<_, Error>(due.fetch_all(tx).await?)
        })
    });
    claim.await
}

/// Fails only if the database does.
async fn drive_or_retry(app: &App, claim: &Claim, loaded: Option<Loaded>) -> Result<(), Error> {
    match drive(app, claim.id.into(), loaded).await {
        Ok(Next::Said) => Ok(()),
        Ok(next) => schedule_next(app, claim, next, 0).await,
        // Asking again changes nothing: a person has to.
        Err(Error::ProviderNotEnabled) => {
            put_before_a_person(app, claim.id.into(), SWITCHED_OFF).await?;
            schedule_next(app, claim, Next::After(schedule::SELDOM), 0).await
        }
        Err(error) => {
            tracing::warn!(order = %claim.id, %error, "step failed, trying again");
            let failures = claim.step_failures.saturating_add(1);
            if failures >= FAILURES_TO_TELL {
                put_before_a_person(app, claim.id.into(), STEP_FAILS).await?;
            }
            let next = Next::After(schedule::retry_after(failures));
            schedule_next(app, claim, next, failures).await
        }
    }
}

async fn drive(app: &App, id: OrderId, loaded: Option<Loaded>) -> Result<Next, Error> {
    let loaded = match loaded {
        Some(loaded) => loaded,
        None => store::load_all(app, vec![id.uuid()])
            .await?
            .remove(&id.uuid())
            .ok_or(Error::OrderNotFound)?,
    };
    let (order, lines) = (loaded.order, loaded.lines);
    let open = loaded.newest.filter(|attempt| attempt.is_open());
    let status = order.status()?;
    let is_over = order.overdue || order.event_cancelled;
    let next = match (status, open) {
        (OrderStatus::Created, _) => bind_or_cancel(app, &order).await,
        (OrderStatus::AwaitingPayment, open) if is_over => end(app, &order, open.as_ref()).await,
        (OrderStatus::AwaitingPayment, None) => Ok(Next::Check {
            after: schedule::SELDOM,
            pay_by: order.pay_by,
        }),
        (OrderStatus::Paid, _) => {
            saga::fulfil(app, &order, lines, By::now(ACTOR)).await?;
            Ok(Next::Said)
        }
        (OrderStatus::Expired | OrderStatus::Cancelled, _) if !order.stock_released => {
            saga::release(app, id).await?;
            Ok(Next::Settled)
        }
        (OrderStatus::AwaitingPayment | OrderStatus::Mismatch, Some(attempt)) => {
            follow(app, &order, &attempt).await
        }
        (OrderStatus::Processing, Some(attempt)) if !is_over => follow(app, &order, &attempt).await,
        // Its outcome is unknown when the time is over, or the order was paid by another one.
        (_, Some(attempt)) => try_to_close(app, &order, &attempt).await,
        (_, None) => Ok(Next::Settled),
    }?;
    for passing in [SWITCHED_OFF, STEP_FAILS] {
        let asked = order.needs_attention.as_deref();
        if asked.is_some_and(|asked| asked.contains(passing)) {
            take_back(app, id, passing).await?;
        }
    }
    Ok(next)
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
                facts: Vec::new(),
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
    Ok(check_again(order, checks))
}

/// A payment whose outcome is unknown may not be closed yet; it is asked about on the same schedule.
async fn try_to_close(app: &App, order: &OrderRow, attempt: &AttemptRow) -> Result<Next, Error> {
    saga::try_to_close(app, order, attempt, By::now(&attempt.provider)).await?;
    let (_, newest) = store::load(app, order.order_id()).await?;
    if newest.is_none_or(|newest| !newest.is_open()) {
        return Ok(Next::After(Duration::ZERO));
    }
    count_check(app, attempt.id).await?;
    Ok(Next::After(schedule::next_check_after(attempt.checks + 1)))
}

/// At the end of the time to pay at the latest; a payment that needs a decision has no such end.
fn check_again(order: &OrderRow, checks: i32) -> Next {
    Next::Check {
        after: schedule::next_check_after(checks),
        pay_by: order.pay_by.filter(|_| !order.overdue),
    }
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

/// The guest's time is over, or the event is. The provider's last word goes first.
async fn end(app: &App, order: &OrderRow, open: Option<&AttemptRow>) -> Result<Next, Error> {
    let (to, reason) = if order.event_cancelled {
        (OrderStatus::Cancelled, "event_cancelled")
    } else {
        (OrderStatus::Expired, "time_over")
    };
    let step = Step {
        order: order.order_id(),
        from: OrderStatus::AwaitingPayment,
        to,
        by: By::now(ACTOR),
        reason: reason.to_owned(),
    };
    saga::end(app, order, open, Ending { step, audit: None }).await?;
    Ok(Next::After(Duration::ZERO))
}

async fn put_before_a_person(app: &App, order: OrderId, why: &'static str) -> Result<(), Error> {
    let put = app.db.run((order, why), |tx, (order, why)| {
        Box::pin(async move { Ok::<_, Error>(store::ask_for_attention(tx, *order, why).await?) })
    });
    put.await
}

async fn take_back(app: &App, order: OrderId, why: &'static str) -> Result<(), Error> {
    let take = app.db.run((order, why), |tx, (order, why)| {
        Box::pin(async move { Ok::<_, Error>(store::attention_is_over(tx, *order, why).await?) })
    });
    take.await
}

/// Only while the lease is ours: a transition or a new attempt has set a time of its own.
async fn schedule_next(app: &App, claim: &Claim, next: Next, failures: i32) -> Result<(), Error> {
    let (after_secs, pay_by) = match next {
        Next::Settled | Next::Said => (None, None),
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
    set.await?;
    if after_secs == Some(0.0) {
        app.nudges.orders.notify_one();
    }
    Ok(())
}
