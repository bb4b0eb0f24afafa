//! Tickets that were to be handed on while ticket-svc was away, or whose driver crashed.

use std::sync::Arc;

use uuid::Uuid;

use crate::{app::App, domain::schedule::retry_after, error::Error, saga, store::By};

const BATCH_ROWS: i64 = 16;
/// Longer than the step takes.
const LEASE_SECS: f64 = 30.0;
const ACTOR: &str = "saga";

struct Claim {
    id: Uuid,
    step_failures: i32,
    traceparent: Option<String>,
}

/// True if there may be more.
pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let due = claim(&app).await?;
    for claim in &due {
        let step = Box::pin(saga::hand_on(&app, claim.id, By::now(ACTOR)));
        let traceparent = claim.traceparent.as_deref();
        if let Err(error) = super::resume("hand on ticket", traceparent, step).await {
            tracing::warn!(transfer = %claim.id, %error, "step failed, trying again");
            postpone(&app, claim).await?;
        }
    }
    Ok(i64::try_from(due.len()).is_ok_and(|taken| taken == BATCH_ROWS))
}

async fn claim(app: &App) -> Result<Vec<Claim>, Error> {
    let claim = app.db.run((), |tx, ()| {
        Box::pin(async move {
            let due = sqlx::query_as!(
                Claim,
                "UPDATE ticket_transfers
                 SET next_step_at = clock_timestamp() + make_interval(secs => $2)
                 WHERE id IN (
                     SELECT id FROM ticket_transfers WHERE next_step_at <= statement_timestamp()
                     ORDER BY next_step_at LIMIT $1 FOR UPDATE SKIP LOCKED)
                 RETURNING id, step_failures, traceparent",
                BATCH_ROWS,
                LEASE_SECS,
            );
            Ok::<_, Error>(due.fetch_all(tx).await?)
        })
    });
    claim.await
}

async fn postpone(app: &App, claim: &Claim) -> Result<(), Error> {
    let failures = claim.step_failures.saturating_add(1);
    let input = (claim.id, failures, retry_after(failures).as_secs_f64());
    let postpone = app.db.run(input, |tx, (id, failures, after)| {
        Box::pin(async move {
            sqlx::query!(
                "UPDATE ticket_transfers
                 SET step_failures = $2, next_step_at = clock_timestamp() + make_interval(secs => $3)
                 WHERE id = $1 AND status = 'requested'",
                id,
                failures,
                after,
            )
            .execute(tx)
            .await?;
            Ok::<_, Error>(())
        })
    });
    postpone.await
}
