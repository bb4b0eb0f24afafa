//! Folds what was sold and given back into hours and days. What a round takes away and what it adds is one
//! transaction, so a crash in between loses nothing and counts nothing twice; replicas take turns.

use std::sync::Arc;

use crate::{app::App, error::Error};

const BATCH_ROWS: i64 = 5_000;

/// True if there may be more.
pub(super) async fn round(app: Arc<App>) -> anyhow::Result<bool> {
    let fold = app.db.run((), |tx, ()| {
        Box::pin(async move {
            let folded = sqlx::query_scalar!(r#"SELECT fold_sales($1) AS "folded!""#, BATCH_ROWS);
            Ok::<_, Error>(folded.fetch_one(tx).await?)
        })
    });
    Ok(fold.await? >= BATCH_ROWS)
}
