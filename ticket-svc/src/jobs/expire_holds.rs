//! Ends the holds whose deadline passed and frees their stock: exactly those that no guard of an
//! operation lets through any more.

use std::{sync::Arc, time::Duration};

use db::Db;
use kit::Tasks;
use sqlx::PgConnection;
use tokio::sync::Notify;

use crate::{
    error::Error,
    store::holds::{self, DEAD_BATCH},
};

const EVERY: Duration = Duration::from_secs(1);

/// Starts the sweeper; it ends with the service's tasks.
pub fn start(tasks: &Tasks, db: Db) {
    tasks.job("expire_holds", EVERY, Arc::new(Notify::new()), move || {
        let db = db.clone();
        async move {
            let ended = db.run((), |conn, ()| Box::pin(sweep(conn))).await?;
            Ok(ended == DEAD_BATCH)
        }
    });
}

/// Ends up to a batch of dead holds; those that somebody else is about to end are left to them.
async fn sweep(conn: &mut PgConnection) -> Result<usize, Error> {
    let dead = sqlx::query_scalar!(
        r#"
        SELECT id FROM holds
        WHERE (status = 'active' AND expires_at <= (SELECT clock_timestamp()))
           OR (status = 'paying' AND paying_until <= (SELECT clock_timestamp()))
        LIMIT $1 FOR UPDATE SKIP LOCKED
        "#,
        DEAD_BATCH as i64,
    )
    .fetch_all(&mut *conn)
    .await?;
    holds::expire(conn, &dead).await?;
    Ok(dead.len())
}
