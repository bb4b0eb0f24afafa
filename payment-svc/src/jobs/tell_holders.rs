//! News of events whose tickets were handed on. What is told is decided by the stored state, so a round may
//! stop anywhere and begin anew.

use std::sync::Arc;

use uuid::Uuid;

use crate::{app::App, domain::schedule::retry_after, error::Error, saga};

const BATCH_ROWS: i64 = 64;
/// Longer than a batch takes.
const LEASE_SECS: f64 = 60.0;

struct Claim {
    id: Uuid,
    step_failures: i32,
    traceparent: Option<String>,
}

/// True if there may be more.
pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let due = claim(&app).await?;
    for claim in &due {
        let step = Box::pin(saga::tell_holders(&app, claim.id));
        let traceparent = claim.traceparent.as_deref();
        match super::resume("tell holders", traceparent, step).await {
            Ok(true) => {}
            Ok(false) => postpone(&app, claim).await?,
            Err(error) => {
                tracing::warn!(news = %claim.id, %error, "step failed, trying again");
                postpone(&app, claim).await?;
            }
        }
    }
    Ok(i64::try_from(due.len()).is_ok_and(|taken| taken == BATCH_ROWS))
}

/// The news of an order in its order.
async fn claim(app: &App) -> Result<Vec<Claim>, Error> {
    let claim = app.db.run((), |tx, ()| {
        Box::pin(async move {
            let due = sqlx::query_as!(
                Claim,
                "UPDATE holder_news
                 SET next_step_at = clock_timestamp() + make_interval(secs => $2)
                 WHERE id IN (
                     SELECT id FROM holder_news n
                     WHERE next_step_at <= statement_timestamp() AND NOT EXISTS (
                         SELECT FROM holder_news b WHERE b.order_id = n.order_id
                             AND b.number < n.number AND b.next_step_at IS NOT NULL)
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
                "UPDATE holder_news
                 SET step_failures = $2, next_step_at = clock_timestamp() + make_interval(secs => $3)
                 WHERE id = $1 AND ended_at IS NULL",
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
