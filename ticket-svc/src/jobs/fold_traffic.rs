//! Folds what was counted into hours and days. What a round takes away and what it adds is one transaction,
//! so a crash in between loses nothing and counts nothing twice; replicas take turns.

use std::{sync::Arc, time::Duration};

use db::Db;
use kit::Tasks;
use sqlx::PgConnection;
use tokio::sync::Notify;

use crate::error::Error;

const EVERY: Duration = Duration::from_secs(1);
const BATCH_ROWS: i64 = 5_000;
/// Longer than a gateway repeats a flush.
const FLUSHES_KEPT_SECS: f64 = 2.0 * 24.0 * 3600.0;

/// Starts the follower; it ends with the service's tasks.
pub fn start(tasks: &Tasks, db: Db) {
    tasks.job("fold_traffic", EVERY, Arc::new(Notify::new()), move || {
        let db = db.clone();
        async move { Ok(round(&db).await?) }
    });
}

/// True if there may be more.
async fn round(db: &Db) -> Result<bool, Error> {
    let folded = db.run((), |conn, ()| Box::pin(fold(conn))).await?;
    Ok(folded >= BATCH_ROWS)
}

async fn fold(conn: &mut PgConnection) -> Result<i64, Error> {
    sqlx::query!(
        "DELETE FROM view_flushes WHERE id IN (
             SELECT id FROM view_flushes
             WHERE counted_at < clock_timestamp() - make_interval(secs => $1)
             LIMIT $2 FOR UPDATE SKIP LOCKED)",
        FLUSHES_KEPT_SECS,
        BATCH_ROWS,
    )
    .execute(&mut *conn)
    .await?;
    let folded = sqlx::query_scalar!(r#"SELECT fold_traffic($1) AS "folded!""#, BATCH_ROWS);
    Ok(folded.fetch_one(conn).await?)
}
