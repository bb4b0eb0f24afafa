//! A cancelled event gives all its money back. Its orders are looked through again and again: open
//! ones are ended by the saga, paid ones are refunded, until each has ended and no money is left here.
//! It may stop anywhere and begin anew, for an order that was done with is passed over.

use std::{sync::Arc, time::Duration};

use base::{EventId, OrderId, RefundId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{order_state::OrderStatus, refund_state::RefundReason, timeline::EVENT_CANCELLED},
    error::Error,
    saga::{self, Announcement, NewRefund, Voids},
    store::{self, By},
};

const PAGE_ROWS: i64 = 200;
/// A look that crashed is begun anew after this long; every page prolongs it.
const LEASE_SECS: f64 = 60.0;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long an event that is done with is left alone. An order may still turn up: one that was being
/// bound, or that money came for late.
const REST_SECS: f64 = 300.0;
const ACTOR: &str = "saga";

struct Claim {
    event: Uuid,
    explanation: String,
    scans: i32,
}

/// A payment with money left, or an order without any payment.
struct Found {
    order_id: Uuid,
    attempt_id: Option<Uuid>,
    created_at: OffsetDateTime,
}

/// True if there may be more.
pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let Some(claim) = claim(&app).await? else {
        return Ok(false);
    };
    super::resume("refund a cancelled event", None, scan(&app, &claim)).await?;
    Ok(true)
}

async fn claim(app: &App) -> Result<Option<Claim>, Error> {
    let claim = app.db.run((), |tx, ()| {
        Box::pin(async move {
            let due = sqlx::query_as!(
                Claim,
                "UPDATE event_cancellations
                 SET next_scan_at = clock_timestamp() + make_interval(secs => $1)
                 WHERE event_id = (
                     SELECT event_id FROM event_cancellations WHERE next_scan_at <= statement_timestamp()
                     ORDER BY next_scan_at LIMIT 1
                     FOR UPDATE SKIP LOCKED)
                 RETURNING event_id AS event, explanation, scans",
                LEASE_SECS,
            );
            Ok::<_, Error>(due.fetch_optional(tx).await?)
        })
    });
    claim.await
}

async fn scan(app: &App, claim: &Claim) -> Result<(), Error> {
    wake_open_orders(app, claim).await?;
    let mut after = (OffsetDateTime::UNIX_EPOCH, Uuid::nil());
    loop {
        let page = page(app, claim, after).await?;
        for found in &page {
            // One order that cannot go on holds up none of the others; the next look finds it.
            if let Err(error) = give_back(app, claim, found).await {
                tracing::warn!(order = %found.order_id, %error, "order of a cancelled event not refunded yet");
            }
        }
        app.nudges.refunds.notify_one();
        let Some(last) = page.last() else {
            break;
        };
        after = (last.created_at, last.order_id);
    }
    finish_or_pause(app, claim).await
}

/// The saga ends them. One whose outcome its provider does not know stays on the schedule after the
/// first time.
async fn wake_open_orders(app: &App, claim: &Claim) -> Result<(), Error> {
    let wake = app
        .db
        .run((claim.event, claim.scans == 0), |tx, (event, first)| {
            Box::pin(async move {
                sqlx::query!(
                    "UPDATE orders SET next_step_at = clock_timestamp()
                     WHERE id IN (
                         SELECT id FROM orders
                         WHERE event_id = $1 AND next_step_at > clock_timestamp() + interval '5 s'
                           AND (status IN ('created', 'awaiting_payment')
                                OR status = 'processing' AND $2)
                         ORDER BY id FOR UPDATE SKIP LOCKED)",
                    event,
                    *first,
                )
                .execute(tx)
                .await?;
                Ok::<_, Error>(())
            })
        });
    wake.await?;
    app.nudges.orders.notify_one();
    Ok(())
}

/// What has to go back, in the order of placing. A payment that was tried once is for a person.
async fn page(
    app: &App,
    claim: &Claim,
    after: (OffsetDateTime, Uuid),
) -> Result<Vec<Found>, Error> {
    let read = app.db.run((claim.event, after), |tx, (event, after)| {
        Box::pin(async move {
            prolong(tx, *event).await?;
            let found = sqlx::query_as!(
                Found,
                r#"SELECT o.id AS order_id, o.created_at, a.id AS "attempt_id?"
                   FROM (
                       SELECT id, created_at FROM orders o
                       WHERE o.event_id = $1 AND (o.created_at, o.id) > ($2, $3)
                         AND o.status IN ('fulfilled', 'partially_refunded')
                         AND (EXISTS (
                                 SELECT FROM payment_attempts a
                                 WHERE a.order_id = o.id AND a.captured_minor > a.refunded_minor
                                   AND NOT EXISTS (SELECT FROM refunds r WHERE r.attempt_id = a.id
                                       AND r.reason = 'event_cancelled'))
                             OR o.total_amount_minor = 0 AND NOT EXISTS (
                                 SELECT FROM order_events e
                                 WHERE e.order_id = o.id AND e.reason = $5))
                       ORDER BY o.created_at, o.id LIMIT $4) o
                   LEFT JOIN payment_attempts a ON a.order_id = o.id
                       AND a.captured_minor > a.refunded_minor
                   ORDER BY o.created_at, o.id, a.number"#,
                event,
                after.0,
                after.1,
                PAGE_ROWS,
                EVENT_CANCELLED,
            );
            Ok::<_, Error>(found.fetch_all(tx).await?)
        })
    });
    read.await
}

async fn prolong(tx: &mut PgConnection, event: Uuid) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE event_cancellations
         SET next_scan_at = clock_timestamp() + make_interval(secs => $2) WHERE event_id = $1",
        event,
        LEASE_SECS,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn give_back(app: &App, claim: &Claim, found: &Found) -> Result<(), Error> {
    let order = found.order_id.into();
    match found.attempt_id {
        None => tell_of_a_free_order(app, claim, order).await,
        Some(attempt) => {
            let refund = NewRefund {
                id: RefundId::new(&app.sources),
                order,
                attempt,
                amount_minor: 0,
                reason: RefundReason::EventCancelled,
                note: claim.explanation.clone(),
                voids: Voids::All,
                body_hash: None,
                by: By::now(ACTOR),
            };
            let send = app
                .db
                .run(refund, |tx, refund| Box::pin(send_the_rest(tx, refund)));
            send.await
        }
    }
}

/// Whatever is left, now that nobody else can move it.
async fn send_the_rest(tx: &mut PgConnection, refund: &NewRefund) -> Result<(), Error> {
    if !saga::order_status(tx, refund.order).await?.has_tickets() {
        return Ok(());
    }
    let left = sqlx::query_scalar!(
        r#"SELECT a.captured_minor - a.refunded_minor AS "left!" FROM payment_attempts a
           WHERE a.id = $1 AND NOT EXISTS (
               SELECT FROM refunds r WHERE r.attempt_id = a.id AND r.reason = 'event_cancelled')"#,
        refund.attempt,
    );
    let left = left.fetch_optional(&mut *tx).await?.unwrap_or(0);
    if left > 0 {
        let mut refund = refund.clone();
        refund.amount_minor = left;
        saga::send_back(tx, &refund).await?;
    }
    Ok(())
}

/// No money, so no refund: its tickets are void, and its guest is told once.
async fn tell_of_a_free_order(app: &App, claim: &Claim, order: OrderId) -> Result<(), Error> {
    saga::void_free_tickets(app, order).await?;
    let announcement = Announcement::of(app, order).await?;
    let input = (
        order,
        announcement,
        claim.explanation.clone(),
        By::now(ACTOR),
    );
    let tell = app
        .db
        .run(input, |tx, (order, announcement, explanation, by)| {
            Box::pin(async move {
                let status = saga::order_status(tx, *order).await?;
                if status != OrderStatus::Fulfilled || was_told(tx, *order).await? {
                    return Ok(());
                }
                store::note(tx, *order, status, by, EVENT_CANCELLED).await?;
                // Who gave the tickets back hears no more of them.
                if saga::was_cancelled_by_guest(tx, *order).await? {
                    return Ok(());
                }
                announcement.of_a_free_order(tx, explanation).await
            })
        });
    tell.await?;
    app.nudges.outbox.notify_one();
    Ok(())
}

async fn was_told(tx: &mut PgConnection, order: OrderId) -> Result<bool, Error> {
    let told = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM order_events WHERE order_id = $1 AND reason = $2) AS "told!""#,
        order.uuid(),
        EVENT_CANCELLED,
    );
    Ok(told.fetch_one(tx).await?)
}

/// Done with once every order has ended, no refund is open and no money is left. Should an order turn
/// up later, it begins anew.
async fn finish_or_pause(app: &App, claim: &Claim) -> Result<(), Error> {
    let pause = Duration::from_secs(1 << claim.scans.clamp(0, 6)).min(LONGEST_PAUSE);
    let input = (EventId::from(claim.event), pause.as_secs_f64());
    let finish = app.db.run(input, |tx, (event, pause_secs)| {
        Box::pin(async move {
            let done = is_done(tx, *event).await?;
            sqlx::query!(
                "UPDATE event_cancellations
                 SET finished_at = CASE WHEN $2 THEN coalesce(finished_at, clock_timestamp()) END,
                     scans = CASE WHEN NOT $2 AND finished_at IS NOT NULL THEN 0 ELSE scans + 1 END,
                     next_scan_at = clock_timestamp()
                         + make_interval(secs => CASE WHEN $2 THEN $3::float8 ELSE $4 END)
                 WHERE event_id = $1",
                event.uuid(),
                done,
                REST_SECS,
                pause_secs,
            )
            .execute(tx)
            .await?;
            Ok::<_, Error>(())
        })
    });
    finish.await
}

async fn is_done(tx: &mut PgConnection, event: EventId) -> Result<bool, Error> {
    let done = sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (SELECT FROM orders_of_cancelled_events
               WHERE event_id = $1 AND NOT done) AS "done!""#,
        event.uuid(),
    );
    Ok(done.fetch_one(tx).await?)
}
