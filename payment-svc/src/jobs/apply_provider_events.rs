//! Applies the stored webhooks. Each only says where to look: the provider is asked for the truth, and
//! that is applied. A repeated, late or out-of-order event finds nothing left to change.

use std::sync::Arc;

use futures::future::join_all;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    saga::{self, Report},
    store::{AttemptRow, By},
};

const BATCH_ROWS: i64 = 16;
/// An event that crashed its worker comes again after this long.
const LEASE_SECS: f64 = 20.0;
/// A webhook may be faster than the answer that tells us the reference: about ten minutes in all.
const UNMATCHED_AFTER: i32 = 14;

struct EventRow {
    id: Uuid,
    provider: String,
    reference: String,
    amount_minor: i64,
    currency: String,
    attempts: i32,
    traceparent: Option<String>,
}

/// True if there may be more.
pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let due = claim(&app).await?;
    let more = due.len() as i64 == BATCH_ROWS;
    let work = due.iter().map(|event| {
        let work = apply_or_retry(&app, event);
        super::resume("apply provider event", event.traceparent.as_deref(), work)
    });
    for outcome in join_all(work).await {
        outcome?;
    }
    Ok(more)
}

async fn claim(app: &App) -> Result<Vec<EventRow>, Error> {
    let claim = app.db.run((), |tx, ()| {
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
                 RETURNING id, provider, reference, amount_minor, currency, attempts, traceparent",
                BATCH_ROWS,
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
        Ok(None) => retry(app, event).await,
        Err(error) => {
            tracing::warn!(event = %event.id, %error, "webhook not applied yet");
            retry(app, event).await
        }
    }
}

/// None: no attempt has the reference, or not yet.
async fn apply(app: &App, event: &EventRow) -> Result<Option<&'static str>, Error> {
    let input = (event.provider.clone(), event.reference.clone());
    let find = app.db.read(input, |conn, (provider, reference)| {
        Box::pin(find_attempt(conn, provider, reference))
    });
    let Some(attempt) = find.await? else {
        return Ok(None);
    };
    let by = By::now(&event.provider);
    if event.amount_minor != attempt.amount_minor || event.currency != attempt.currency {
        saga::settle(app, &attempt, Report::Differs, by).await?;
        return Ok(Some("amount or currency differ"));
    }
    Ok(Some(match saga::inquire(app, &attempt, by).await? {
        Some(_) => "truth applied",
        None => "nothing to change",
    }))
}

async fn find_attempt(
    conn: &mut PgConnection,
    provider: &str,
    reference: &str,
) -> Result<Option<AttemptRow>, Error> {
    let found = sqlx::query_as!(
        AttemptRow,
        "SELECT id, order_id, provider, provider_key, amount_minor, currency, status,
             provider_ref, checkout_url, deadline, checks
         FROM payment_attempts WHERE provider = $1 AND provider_ref = $2",
        provider,
        reference,
    );
    Ok(found.fetch_optional(conn).await?)
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

async fn retry(app: &App, event: &EventRow) -> Result<(), Error> {
    let after = crate::domain::schedule::retry_after(event.attempts).as_secs_f64();
    let retry = app.db.run((event.id, after), |tx, (id, after)| {
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
