//! Applies the stored webhooks. Each only says where to look: the provider is asked for the truth, and
//! that is applied. A repeated, late or out-of-order event finds nothing left to change.

use std::{sync::Arc, time::Duration};

use db::Db;
use sqlx::PgConnection;
use uuid::Uuid;

use super::room::{Room, count};
use crate::{
    app::App,
    domain::schedule,
    error::Error,
    saga::{self, Report},
    store::{self, AttemptRow, By},
};

/// An event that crashed its worker comes again after this long.
const LEASE_SECS: f64 = 20.0;
/// A webhook may be faster than the answer that tells us the reference: about ten minutes in all.
const UNMATCHED_AFTER: i32 = 14;

struct EventRow {
    id: Uuid,
    provider: String,
    subject: String,
    reference: String,
    amount_minor: i64,
    /// Empty where the event names no amount.
    currency: String,
    attempts: i32,
    traceparent: Option<String>,
}

/// True if there may be more.
pub(super) async fn round(app: Arc<App>, room: Arc<Room>) -> anyhow::Result<bool> {
    let places = room.places().await?;
    let due = claim(&app, count(&places)).await?;
    let more = due.len() == places.len();
    let attempts = find_attempts(&app, &due).await?;
    for ((event, attempt), place) in due.into_iter().zip(attempts).zip(places) {
        let shared = app.clone();
        app.tasks.spawn(async move {
            let work = apply_or_retry(&shared, &event, attempt);
            let traceparent = event.traceparent.as_deref();
            if let Err(error) = super::resume("apply provider event", traceparent, work).await {
                // Its lease runs out, and somebody takes it up.
                tracing::warn!(event = %event.id, %error, "webhook not recorded as applied");
            }
            drop(place);
        });
    }
    Ok(more)
}

async fn claim(app: &App, rows: i64) -> Result<Vec<EventRow>, Error> {
    let claim = app.queue.run_statement(rows, |tx, rows| {
        Box::pin(async move {
            let due = sqlx::query_as!(
                EventRow,
                "UPDATE provider_events
                 SET attempts = attempts + 1,
                     next_attempt_at = clock_timestamp() + make_interval(secs => $2)
                 WHERE id IN (
                     SELECT id FROM provider_events
                     WHERE state = 'received' AND next_attempt_at <= statement_timestamp()
                     ORDER BY next_attempt_at
                     LIMIT $1
                     FOR UPDATE SKIP LOCKED)
                 RETURNING id, provider, subject, reference, amount_minor, currency, attempts,
                     traceparent",
                *rows,
                LEASE_SECS,
            );
            Ok::<_, Error>(due.fetch_all(tx).await?)
        })
    });
    claim.await
}

/// The attempt that each of these events is about, where there is one yet.
async fn find_attempts(app: &App, due: &[EventRow]) -> Result<Vec<Option<AttemptRow>>, Error> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let names = due
        .iter()
        .map(|event| (event.provider.clone(), event.reference.clone()));
    let names: (Vec<String>, Vec<String>) = names.unzip();
    let find = app.db.read(names, |conn, (providers, references)| {
        Box::pin(store::find_attempts_by_references(
            conn, providers, references,
        ))
    });
    Ok(find.await?)
}

/// Fails only if the database does.
async fn apply_or_retry(
    app: &App,
    event: &EventRow,
    attempt: Option<AttemptRow>,
) -> Result<(), Error> {
    match apply(app, event, attempt).await {
        Ok(Some(outcome)) => {
            kit::failpoint!("payment.event_applied");
            finish(app, event.id, "applied", outcome).await
        }
        Ok(None) if event.attempts >= UNMATCHED_AFTER => {
            tracing::error!(event = %event.id, reference = event.reference, "a payment nobody asked for");
            finish(app, event.id, "unmatched", "no payment has this reference").await
        }
        Ok(None) => retry(app, event, schedule::retry_after(event.attempts)).await,
        Err(error) => {
            tracing::warn!(event = %event.id, %error, "webhook not applied yet");
            let after = match error {
                Error::ProviderNotEnabled => schedule::SELDOM,
                _ => schedule::retry_after(event.attempts),
            };
            retry(app, event, after).await
        }
    }
}

/// None: no attempt has the reference, or not yet.
async fn apply(
    app: &App,
    event: &EventRow,
    attempt: Option<AttemptRow>,
) -> Result<Option<&'static str>, Error> {
    let Some(attempt) = attempt else {
        return Ok(None);
    };
    let by = By::now(&event.provider);
    if event.subject == "refund" {
        return Ok(Some(
            match saga::notice_refunds(app, &attempt, by).await? {
                true => "refunds noticed",
                false => "nothing to change",
            },
        ));
    }
    let differs = event.differs_from(&attempt);
    if differs {
        saga::settle(app, &attempt, Report::Differs(None), by.clone()).await?;
    }
    // What the event says is never believed: the provider's own books say what arrived.
    let news = saga::inquire(app, &attempt, by).await?;
    Ok(Some(match news {
        _ if differs => "amount or currency differ",
        Some(_) => "truth applied",
        None => "nothing to change",
    }))
}

impl EventRow {
    fn differs_from(&self, attempt: &AttemptRow) -> bool {
        let named = !self.currency.is_empty();
        named && (self.amount_minor != attempt.amount_minor || self.currency != attempt.currency)
    }
}

/// An event that needs no more work, and what it came to.
#[derive(Clone)]
pub(crate) struct Finished {
    id: Uuid,
    state: &'static str,
    outcome: &'static str,
}

async fn finish(
    app: &App,
    id: Uuid,
    state: &'static str,
    outcome: &'static str,
) -> Result<(), Error> {
    let finished = Finished { id, state, outcome };
    app.lanes.finished.submit(finished).await
}

/// Those that came together.
pub(crate) async fn finish_all(session: Db, all: Arc<[Finished]>) -> Result<Vec<()>, Error> {
    let count = all.len();
    let record = session.run_statement(all, |conn, all| Box::pin(record(conn, all)));
    record.await?;
    Ok(vec![(); count])
}

async fn record(conn: &mut PgConnection, all: &Arc<[Finished]>) -> Result<(), Error> {
    let ids: Vec<Uuid> = all.iter().map(|one| one.id).collect();
    let states: Vec<String> = all.iter().map(|one| one.state.to_owned()).collect();
    let outcomes: Vec<String> = all.iter().map(|one| one.outcome.to_owned()).collect();
    sqlx::query!(
        "WITH wish AS (
             SELECT id, state, outcome
             FROM UNNEST($1::uuid[], $2::text[], $3::text[]) AS w (id, state, outcome)
         ), locked AS MATERIALIZED (
             -- By their keys: '' keeps the index of what waits from it (decision 0039).
             SELECT id FROM provider_events WHERE id = ANY($1) AND state || '' = 'received'
             ORDER BY id FOR UPDATE
         )
         UPDATE provider_events e
         SET state = w.state, outcome = w.outcome, settled_at = clock_timestamp()
         FROM wish w JOIN locked l ON l.id = w.id
         WHERE e.id = l.id",
        &ids,
        &states,
        &outcomes,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn retry(app: &App, event: &EventRow, after: Duration) -> Result<(), Error> {
    let retry = app
        .db
        .run((event.id, after.as_secs_f64()), |tx, (id, after)| {
            Box::pin(async move {
                sqlx::query!(
                    "UPDATE provider_events
                 SET next_attempt_at = clock_timestamp() + make_interval(secs => $2)
                 WHERE id = $1 AND state = 'received'",
                    id,
                    after,
                )
                .execute(tx)
                .await?;
                Ok::<_, Error>(())
            })
        });
    retry.await
}
