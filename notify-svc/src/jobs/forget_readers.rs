//! Codes and links that sign in are soon worth nothing, and no order is behind them whose erasure would find them.
//! Whom they went to is forgotten once they are over, as an erased guest is.

use std::{sync::Arc, time::Duration};

use kit::Tasks;
use sqlx::PgConnection;

use crate::{app::App, error::Error, kinds::Kind, store};

const INTERVAL: Duration = Duration::from_secs(600);
const BATCH_ROWS: i64 = 1_000;
const DAY_SECS: f64 = 24.0 * 3_600.0;
/// From when their message came. A code works for 15 minutes, a link to a new password for 30, and an invitation
/// for a week, within which an admin may have to send it once more.
const KEPT_SECS: [(Kind, f64); 3] = [
    (Kind::LookupCode, DAY_SECS),
    (Kind::PasswordReset, DAY_SECS),
    (Kind::AdminInvitation, 30.0 * DAY_SECS),
];

pub(super) fn start(tasks: &Tasks, app: Arc<App>) {
    tasks.job("forget_readers", INTERVAL, Arc::default(), move || {
        let app = app.clone();
        async move {
            let forgotten = app.db.run((), |tx, ()| Box::pin(forget(tx)));
            Ok(forgotten.await? == BATCH_ROWS.unsigned_abs())
        }
    });
}

/// How many were forgotten of a kind at most: where that is a whole batch, there may be more.
async fn forget(tx: &mut PgConnection) -> Result<u64, Error> {
    let mut most = 0;
    for (kind, kept_secs) in KEPT_SECS {
        most = most.max(forget_kind(tx, kind, kept_secs).await?);
    }
    Ok(most)
}

/// What waits or is on its way still needs its address, and ends by itself.
async fn forget_kind(tx: &mut PgConnection, kind: Kind, kept_secs: f64) -> Result<u64, Error> {
    let over = sqlx::query_scalar!(
        "SELECT id FROM notifications
         WHERE kind = $1 AND order_id IS NULL AND status IN ('sent', 'failed', 'bounced')
           AND created_at < clock_timestamp() - make_interval(secs => $2)
         ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED",
        kind.word(),
        kept_secs,
        BATCH_ROWS,
    );
    let over = over.fetch_all(&mut *tx).await?;
    store::erase(tx, &over).await
}
