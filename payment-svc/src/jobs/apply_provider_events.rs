//! Applies the stored webhooks. Each only says where to look: the provider is asked for the truth, and
//! that is applied. A repeated, late or out-of-order event finds nothing left to change.

use std::{sync::Arc, time::Duration};

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
    for (event, place) in due.into_iter().zip(places) {
        let shared = app.clone();
        app.tasks.spawn(async move {
            let work = apply_or_retry(&shared, &event);
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
    let claim = app.db.run(rows, |tx, rows| {
        Box::pin(async move {
            let due = sqlx::query_as!(
                EventRow,
                "UPDATE provider_events
                 SET attempts = attempts + 1,
                     next_attempt_at = clock_timestamp() + make_interval(secs => $2)
                 WHERE id IN (
                     SELECT id FROM provider_events
                     WHERE state = 'received' AND next_attempt_at <= clock_timestamp()
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

/// Fails only if the database does.
async fn apply_or_retry(app: &App, event: &EventRow) -> Result<(), Error> {
    match apply(app, event).await {
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
async fn apply(app: &App, event: &EventRow) -> Result<Option<&'static str>, Error> {
    let input = (event.provider.clone(), event.reference.clone());
    let find = app.db.read(input, |conn, (provider, reference)| {
        Box::pin(store::find_attempt_by_reference(conn, provider, reference))
    });
    let Some(attempt) = find.await? else {
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

async fn finish(
    app: &App,
    id: Uuid,
    state: &'static str,
    outcome: &'static str,
) -> Result<(), Error> {
    let finish = app
        .db
        .run((id, state, outcome), |tx, (id, state, outcome)| {
            Box::pin(async move {
                sqlx::query!(
                    "UPDATE provider_events
                 SET state = $2, outcome = $3, settled_at = clock_timestamp()
                 WHERE id = $1 AND state = 'received'",
                    id,
                    *state,
                    *outcome,
                )
                .execute(tx)
                .await?;
                Ok::<_, Error>(())
            })
        });
    finish.await
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
