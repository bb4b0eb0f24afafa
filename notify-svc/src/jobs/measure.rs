//! The state of the queue, for whoever watches: how much waits, for how long, and what needs a person.

use std::{sync::Arc, time::Duration};

use db::DbError;
use kit::Tasks;

use crate::{app::App, error::Error};

const INTERVAL: Duration = Duration::from_secs(15);

pub(super) fn start(tasks: &Tasks, app: Arc<App>) {
    tasks.job(
        "measure_notifications",
        INTERVAL,
        Arc::default(),
        move || {
            let app = app.clone();
            async move {
                measure(&app).await?;
                Ok(false)
            }
        },
    );
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
async fn measure(app: &App) -> Result<(), Error> {
    let found = app
        .db
        .read((), |conn, ()| {
            Box::pin(async move {
                let found = sqlx::query!(
                    r#"SELECT
                         (SELECT count(*) FROM notifications
                          WHERE status IN ('queued', 'sending')) AS "waiting!",
                         (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)
                          FROM notifications
                          WHERE status IN ('queued', 'sending') AND priority = 0)::float8 AS "oldest!",
                         (SELECT count(*) FROM notifications
                          WHERE status IN ('failed', 'bounced')
                            AND dismissed_at IS NULL) AS "attention!",
                         (SELECT count(*) FROM poison_messages) AS "poison!""#
                );
                Ok::<_, Error>(found.fetch_one(conn).await.map_err(DbError::from)?)
            })
        })
        .await?;
    metrics::gauge!("mails_waiting").set(found.waiting as f64);
    metrics::gauge!("mails_oldest_urgent_seconds").set(found.oldest);
    metrics::gauge!("mails_need_attention").set(found.attention as f64);
    metrics::gauge!("poison_messages").set(found.poison as f64);
    Ok(())
}
