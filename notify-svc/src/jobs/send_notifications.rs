//! Sends what is due. A row is leased, the mail goes out with no transaction open, the outcome is
//! written back. A crash in between sends the mail again under the same Message-ID.

use std::{sync::Arc, time::Duration};

use db::DbError;
use futures::{StreamExt as _, stream};
use kit::Tasks;
use prost::Message as _;
use proto::event::OrderPaid;
use uuid::Uuid;

use crate::{app::App, error::Error, mailer::MailError, render};

const POLL_INTERVAL: Duration = Duration::from_secs(1);
const BATCH_ROWS: i64 = 16;
/// Mails on their way at once.
const CONCURRENCY: usize = 4;
/// Longer than a mail server may take for the whole dialogue.
const LEASE_SECS: f64 = 180.0;
/// After a temporary failure: 1 min, 5 min, 30 min, 2 h, then every 12 h.
const BACKOFF_SECS: [f64; 5] = [60.0, 300.0, 1_800.0, 7_200.0, 43_200.0];
/// About 72 hours of tries.
const MAX_ATTEMPTS: i32 = 10;

pub(crate) fn start(tasks: &Tasks, app: Arc<App>) {
    tasks.job("send_notifications", POLL_INTERVAL, app.accepted.clone(), move || {
        let app = app.clone();
        async move { Ok(round(&app).await?) }
    });
}

struct Due {
    id: Uuid,
    attempts: i32,
    content: Vec<u8>,
}

/// True if there may be more.
async fn round(app: &App) -> Result<bool, Error> {
    let due = lease(app).await?;
    let full = due.len() as i64 == BATCH_ROWS;
    let mut outcomes = stream::iter(due)
        .map(|row| async move {
            let outcome = send(app, &row).await;
            record(app, &row, outcome).await
        })
        .buffer_unordered(CONCURRENCY);
    while let Some(recorded) = outcomes.next().await {
        recorded?;
    }
    Ok(full)
}

async fn lease(app: &App) -> Result<Vec<Due>, Error> {
    app.db
        .run((), |tx, ()| {
            Box::pin(async move {
                let rows = sqlx::query_as!(
                    Due,
                    "UPDATE notifications
                     SET status = 'sending', attempts = attempts + 1,
                         next_attempt_at = clock_timestamp() + make_interval(secs => $1)
                     WHERE id IN (
                         SELECT id FROM notifications
                         WHERE status IN ('queued', 'sending')
                           AND next_attempt_at <= clock_timestamp()
                         ORDER BY next_attempt_at
                         LIMIT $2
                         FOR UPDATE SKIP LOCKED)
                     RETURNING id, attempts, content",
                    LEASE_SECS,
                    BATCH_ROWS,
                )
                .fetch_all(tx)
                .await
                .map_err(DbError::from)?;
                Ok(rows)
            })
        })
        .await
}

async fn send(app: &App, row: &Due) -> Result<(), MailError> {
    let mail = mail(app, row).map_err(|error| MailError::Permanent(error.to_string()))?;
    app.mailer.send(&row.id.to_string(), mail).await
}

fn mail(app: &App, row: &Due) -> Result<lettre::Message, Error> {
    let paid = OrderPaid::decode(row.content.as_slice())
        .map_err(|_| Error::field("content", "is not an OrderPaid"))?;
    let receipt = app.facts.receipt(&paid)?;
    // A mailbox recognises a mail that comes twice by this.
    let message_id = format!("{}@boxoffice", row.id);
    Ok(render::email_message(&receipt, app.mailer.from.clone(), &message_id)?)
}

async fn record(app: &App, row: &Due, outcome: Result<(), MailError>) -> Result<(), Error> {
    let (status, wait_secs, error) = match outcome {
        Ok(()) => ("sent", 0.0, None),
        Err(MailError::Temporary(error)) if row.attempts < MAX_ATTEMPTS => {
            let step = usize::try_from(row.attempts - 1).unwrap_or(0).min(BACKOFF_SECS.len() - 1);
            tracing::warn!(notification_id = %row.id, error, "mail not accepted yet");
            ("queued", BACKOFF_SECS[step], Some(error))
        }
        Err(MailError::Temporary(error) | MailError::Permanent(error)) => {
            tracing::error!(notification_id = %row.id, error, "mail cannot be sent");
            ("failed", 0.0, Some(error))
        }
    };
    // Whose lease ran out meanwhile writes nothing: the attempt that took over decides.
    let outcome = (row.id, row.attempts, status, wait_secs, error);
    app.db
        .run(outcome, |tx, (id, attempts, status, wait_secs, error)| {
            Box::pin(async move {
                sqlx::query!(
                    "UPDATE notifications
                     SET status = $3,
                         next_attempt_at = clock_timestamp() + make_interval(secs => $4),
                         last_error = $5,
                         sent_at = CASE WHEN $3 = 'sent' THEN clock_timestamp() END
                     WHERE id = $1 AND attempts = $2 AND status = 'sending'",
                    *id,
                    *attempts,
                    *status,
                    *wait_secs,
                    error.as_deref(),
                )
                .execute(tx)
                .await
                .map_err(DbError::from)?;
                Ok(())
            })
        })
        .await
}
