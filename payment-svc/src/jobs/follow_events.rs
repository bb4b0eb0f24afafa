//! The orders of an event that was changed get to know it. They are looked through again and again until
//! the event is over: an order may turn up later that was bound, or got its tickets, with older facts.
//! It may stop anywhere and begin anew, for an order that knows is passed over.

use std::{sync::Arc, time::Duration};

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    saga::{self, EventNow, Moved},
    store::By,
};

const PAGE_ROWS: i64 = 200;
/// A look that crashed is begun anew after this long; every page prolongs it.
const LEASE_SECS: f64 = 60.0;
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const ACTOR: &str = "saga";

#[derive(Clone)]
struct Claim {
    event: Uuid,
    scans: i32,
    moved: Moved,
}

struct Found {
    id: Uuid,
    created_at: OffsetDateTime,
}

/// True if there may be more.
pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let Some(claim) = claim(&app).await? else {
        return Ok(false);
    };
    super::resume("follow an event", None, scan(&app, &claim)).await?;
    Ok(true)
}

async fn claim(app: &App) -> Result<Option<Claim>, Error> {
    let claim = app.db.run((), |tx, ()| {
        Box::pin(async move {
            let due = sqlx::query!(
                "UPDATE event_moves
                 SET next_scan_at = clock_timestamp() + make_interval(secs => $1)
                 WHERE event_id = (
                     SELECT event_id FROM event_moves WHERE next_scan_at <= statement_timestamp()
                     ORDER BY next_scan_at LIMIT 1
                     FOR UPDATE SKIP LOCKED)
                 RETURNING event_id, version, title, location, date_time, timezone, explanation, scans",
                LEASE_SECS,
            );
            let due = due.fetch_optional(tx).await?;
            Ok::<_, Error>(due.map(|row| Claim {
                event: row.event_id,
                scans: row.scans,
                moved: Moved {
                    event: EventNow {
                        version: row.version,
                        title: row.title,
                        location: row.location,
                        date_time: row.date_time,
                        timezone: row.timezone,
                    },
                    explanation: row.explanation,
                },
            }))
        })
    });
    claim.await
}

async fn scan(app: &App, claim: &Claim) -> Result<(), Error> {
    let mut after = (OffsetDateTime::UNIX_EPOCH, Uuid::nil());
    loop {
        let page = page(app, claim, after).await?;
        for found in &page {
            // One order that cannot go on holds up none of the others; the next look finds it.
            let follow = saga::follow_event(app, found.id.into(), &claim.moved, By::now(ACTOR));
            if let Err(error) = follow.await {
                tracing::warn!(order = %found.id, %error, "order does not know its event's new facts yet");
            }
        }
        let Some(last) = page.last() else {
            break;
        };
        after = (last.created_at, last.id);
    }
    pause(app, claim).await
}

/// Orders with older facts that say something else, in the order of placing. One that has ended keeps
/// what it knew.
async fn page(
    app: &App,
    claim: &Claim,
    after: (OffsetDateTime, Uuid),
) -> Result<Vec<Found>, Error> {
    let read = app.db.run((claim.clone(), after), |tx, (claim, after)| {
        Box::pin(async move {
            prolong(tx, claim).await?;
            let event = &claim.moved.event;
            let found = sqlx::query_as!(
                Found,
                "SELECT id, created_at FROM orders
                 WHERE event_id = $1 AND (created_at, id) > ($2, $3) AND event_version < $4
                   AND status IN ('awaiting_payment', 'processing', 'paid', 'fulfilled',
                       'partially_refunded', 'mismatch')
                   AND (event_title, event_location, event_date_time, event_timezone)
                       IS DISTINCT FROM ($5, $6, $7, $8)
                 ORDER BY created_at, id LIMIT $9",
                claim.event,
                after.0,
                after.1,
                event.version,
                event.title,
                event.location,
                event.date_time,
                event.timezone,
                PAGE_ROWS,
            );
            Ok::<_, Error>(found.fetch_all(tx).await?)
        })
    });
    read.await
}

/// Only what was claimed: a change that came meanwhile is due at once.
async fn prolong(tx: &mut PgConnection, claim: &Claim) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE event_moves SET next_scan_at = clock_timestamp() + make_interval(secs => $3)
         WHERE event_id = $1 AND version = $2",
        claim.event,
        claim.moved.event.version,
        LEASE_SECS,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn pause(app: &App, claim: &Claim) -> Result<(), Error> {
    let pause = Duration::from_secs(1 << claim.scans.clamp(0, 9)).min(LONGEST_PAUSE);
    let input = (claim.clone(), pause.as_secs_f64());
    let pause = app.db.run(input, |tx, (claim, pause_secs)| {
        Box::pin(async move {
            sqlx::query!(
                "UPDATE event_moves
                 SET scans = scans + 1,
                     next_scan_at = CASE WHEN date_time > clock_timestamp()
                         THEN clock_timestamp() + make_interval(secs => $3) END
                 WHERE event_id = $1 AND version = $2",
                claim.event,
                claim.moved.event.version,
                *pause_secs,
            )
            .execute(tx)
            .await?;
            Ok::<_, Error>(())
        })
    });
    pause.await
}
