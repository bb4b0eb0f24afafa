//! Whatever goes wrong on the way, a row that stays open shows it.

use std::{sync::Arc, time::Duration};

use db::{Db, DbError};
use kit::Tasks;
use tokio::sync::Notify;

const INTERVAL: Duration = Duration::from_secs(60);
/// Broker, receiver and a restart of either are over by then.
const LATE: Duration = Duration::from_secs(120);

/// The age of the oldest row that is not confirmed; none if all are.
pub async fn oldest_open_age(db: &Db) -> Result<Option<Duration>, DbError> {
    let age_secs: Option<f64> = db
        .read((), |session, ()| {
            Box::pin(async move {
                let age = sqlx::query_scalar(
                    "SELECT extract(epoch FROM clock_timestamp() - min(created_at))::float8
                     FROM outbox WHERE confirmed_at IS NULL",
                );
                Ok::<_, DbError>(age.fetch_one(session).await?)
            })
        })
        .await?;
    Ok(age_secs.map(|secs| Duration::from_secs_f64(secs.max(0.0))))
}

/// Looks once a minute.
pub(crate) fn start(tasks: &Tasks, db: Db, member: &'static str) {
    // Nobody nudges it.
    let nudge = Arc::new(Notify::new());
    tasks.job("outbox_alarm", INTERVAL, nudge, move || {
        let db = db.clone();
        async move {
            let age = oldest_open_age(&db).await?.unwrap_or_default();
            metrics::gauge!("outbox_oldest_open_seconds", "member" => member)
                .set(age.as_secs_f64());
            if age >= LATE {
                tracing::error!(
                    oldest_open_secs = age.as_secs(),
                    "a message is not confirmed: its receiver is away, or refuses it"
                );
            }
            Ok(false)
        }
    });
}
