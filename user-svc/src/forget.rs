//! What is of no use any more is deleted: counts whose window is over, networks nobody came from for long,
//! refresh tokens of sessions that have ended, keys that signed no living token.

use std::{sync::Arc, time::Duration};

use kit::Tasks;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::{
    app::App,
    domain::delay::{FORGOTTEN_AFTER, NETWORK_KNOWN_FOR},
    error::Error,
    signing,
};

const EVERY: Duration = Duration::from_secs(600);
const DAY: time::Duration = time::Duration::days(1);
/// The longest window of `limits.rs`.
const LIMITS_KEPT: time::Duration = time::Duration::days(2);

pub(crate) fn start(tasks: &Tasks, app: &Arc<App>) {
    let app = app.clone();
    let nudge = Arc::new(Notify::new());
    tasks.job("forget", EVERY, nudge, move || {
        let app = app.clone();
        async move {
            let now = app.sources.now();
            let forgotten = app.db.run(now, |conn, now| Box::pin(forget(conn, *now)));
            forgotten.await.map_err(anyhow::Error::new)?;
            Ok(false)
        }
    });
}

async fn forget(conn: &mut PgConnection, now: OffsetDateTime) -> Result<(), Error> {
    signing::retire(conn, now).await?;
    sqlx::query!(
        "DELETE FROM failed_logins WHERE last_at < $1",
        now - FORGOTTEN_AFTER,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM known_networks WHERE seen_at < $1",
        now - NETWORK_KNOWN_FOR,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM account_limits WHERE window_start < $1",
        now - LIMITS_KEPT,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM refresh_tokens t USING sessions s
         WHERE s.id = t.session_id AND s.expires_at < $1",
        now - DAY,
    )
    .execute(conn)
    .await?;
    Ok(())
}
