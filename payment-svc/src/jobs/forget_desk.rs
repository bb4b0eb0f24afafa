//! What the desk counted and asked for is forgotten once it is over.

use std::sync::Arc;

use crate::{app::App, error::Error};

const BATCH_ROWS: i64 = 1_000;
/// Longer than the longest window of a limit.
const COUNTS_KEPT_SECS: f64 = 2.0 * 24.0 * 3600.0;
/// So long a lookup that is over is known, to a late copy of its request.
const LOOKUPS_KEPT_SECS: f64 = 24.0 * 3600.0;

/// True if there may be more.
pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let forget = app.db.run((), |tx, ()| {
        Box::pin(async move {
            let counts = sqlx::query!(
                "DELETE FROM desk_limits WHERE (bucket, subject) IN (
                     SELECT bucket, subject FROM desk_limits
                     WHERE window_start < clock_timestamp() - make_interval(secs => $2)
                     LIMIT $1 FOR UPDATE SKIP LOCKED)",
                BATCH_ROWS,
                COUNTS_KEPT_SECS,
            );
            let counts = counts.execute(&mut *tx).await?.rows_affected();
            let lookups = sqlx::query!(
                "DELETE FROM lookups WHERE id IN (
                     SELECT id FROM lookups
                     WHERE expires_at < clock_timestamp() - make_interval(secs => $2)
                     LIMIT $1 FOR UPDATE SKIP LOCKED)",
                BATCH_ROWS,
                LOOKUPS_KEPT_SECS,
            );
            let lookups = lookups.execute(&mut *tx).await?.rows_affected();
            // The mails of codes that nobody can use any more name an address.
            let mails = sqlx::query!(
                "UPDATE outbox SET envelope = '' WHERE id IN (
                     SELECT id FROM outbox
                     WHERE kind = 'lookup_code_requested' AND envelope <> ''
                       AND confirmed_at < clock_timestamp() - make_interval(secs => $2)
                     LIMIT $1 FOR UPDATE SKIP LOCKED)",
                BATCH_ROWS,
                LOOKUPS_KEPT_SECS,
            );
            let mails = mails.execute(tx).await?.rows_affected();
            Ok::<_, Error>(counts.max(lookups).max(mails))
        })
    });
    Ok(forget.await? >= BATCH_ROWS.unsigned_abs())
}
