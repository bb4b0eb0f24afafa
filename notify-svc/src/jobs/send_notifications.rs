//! Sends what is due, receipts first. A row is leased, the mail goes out with no transaction open, the outcome is
//! written back. A crash in between sends the mail again under the same Message-ID.

use std::{sync::Arc, time::Duration};

use db::DbError;
use futures::future::join_all;
use kit::{Shutdown, Tasks, telemetry};
use proto::Peer;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    kinds::{Kind, Notice},
    mailer::MailError,
    render::Stamp,
};

const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Mails on their way at once. No more are leased, because a lease must not run out in a queue.
const BATCH_ROWS: i64 = 8;
/// For the whole dialogue with the mail server.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// For a mail under way when the service stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than sending and recording together, or two would send the same mail.
const LEASE_SECS: f64 = 90.0;
/// After a temporary failure: 1 min, 5 min, 30 min, 2 h, then every 12 h.
const BACKOFF_SECS: [f64; 5] = [60.0, 300.0, 1_800.0, 7_200.0, 43_200.0];
/// About 72 hours of tries.
const MAX_ATTEMPTS: i32 = 11;
/// A mail that went out is sent again if that is not written down, so this is tried for a while.
const RECORD_TIMEOUT: Duration = Duration::from_secs(20);
const RECORD_DELAY: Duration = Duration::from_secs(1);

pub(crate) fn start(tasks: &Tasks, app: Arc<App>) {
    let shutdown = tasks.shutdown().clone();
    tasks.job(
        "send_notifications",
        POLL_INTERVAL,
        app.accepted.clone(),
        move || {
            let (app, shutdown) = (app.clone(), shutdown.clone());
            async move { Ok(round(&app, &shutdown).await?) }
        },
    );
}

struct Due {
    id: Uuid,
    kind: String,
    attempts: i32,
    content: Vec<u8>,
    created_at: OffsetDateTime,
    traceparent: Option<String>,
}

/// True if there may be more.
async fn round(app: &Arc<App>, shutdown: &Shutdown) -> Result<bool, Error> {
    let due = lease(app).await?;
    let full = due.len() as i64 == BATCH_ROWS;
    let work = due.into_iter().map(|row| async move {
        let traceparent = row.traceparent.clone();
        let name = Kind::from_word(&row.kind).map_or("send notice", Kind::span);
        let (member, deliver) = (Peer::Notify.name(), deliver(app, shutdown, row));
        kit::resume(
            telemetry::Kind::Client,
            member,
            name,
            traceparent.as_deref(),
            deliver,
        )
        .await;
    });
    join_all(work).await;
    Ok(full)
}

/// Receipts come before all else that is due. A kind of a newer version is left to that version.
async fn lease(app: &App) -> Result<Vec<Due>, Error> {
    let known = Kind::ALL.map(|kind| kind.word().to_owned());
    app.db
        .run(known, |tx, known| {
            Box::pin(async move {
                let rows = sqlx::query_as!(
                    Due,
                    "UPDATE notifications
                     SET status = 'sending', attempts = attempts + 1,
                         next_attempt_at = clock_timestamp() + make_interval(secs => $1)
                     WHERE id = ANY (ARRAY(
                         SELECT id FROM notifications
                         WHERE status IN ('queued', 'sending')
                           AND next_attempt_at <= clock_timestamp()
                           AND kind = ANY ($3)
                         ORDER BY (kind <> 'receipt'), next_attempt_at
                         LIMIT $2
                         FOR UPDATE SKIP LOCKED))
                     RETURNING id, kind, attempts, content, created_at, traceparent",
                    LEASE_SECS,
                    BATCH_ROWS,
                    known.as_slice(),
                )
                .fetch_all(tx)
                .await
                .map_err(DbError::from)?;
                Ok(rows)
            })
        })
        .await
}

async fn deliver(app: &Arc<App>, shutdown: &Shutdown, row: Due) {
    kit::failpoint!("notify.leased");
    let outcome = Outcome::of(&row, send(app, shutdown, &row).await);
    kit::failpoint!("notify.sent");
    let record = async {
        while let Err(error) = record(app, outcome.clone()).await {
            tracing::warn!(notification_id = %row.id, %error, "outcome not stored yet");
            tokio::time::sleep(RECORD_DELAY).await;
        }
    };
    if tokio::time::timeout(RECORD_TIMEOUT, record).await.is_err() {
        tracing::error!(notification_id = %row.id, "outcome not stored, the mail is sent again");
    }
}

async fn send(app: &Arc<App>, shutdown: &Shutdown, row: &Due) -> Result<(), MailError> {
    let mail = mail(app, row)
        .await
        .map_err(|error| MailError::Permanent(error.to_string()))?;
    let stopped = async {
        shutdown.begun().await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    let name = row.id.to_string();
    let why = tokio::select! {
        outcome = app.mailer.send(&name, mail) => return outcome,
        () = tokio::time::sleep(SEND_TIMEOUT) => "the mail server took too long",
        () = stopped => "the service stopped before the mail server answered",
    };
    Err(MailError::Temporary(why.to_owned()))
}

/// On a thread of its own: drawing takes a while, and a panic there is the end of this mail only.
async fn mail(app: &Arc<App>, row: &Due) -> Result<lettre::Message, Error> {
    let broken = || Error::field("content", "is not what its kind says");
    let kind = Kind::from_word(&row.kind).ok_or_else(broken)?;
    let payload = kind.payload(&row.content).map_err(|_| broken())?;
    let notice = Notice::read(&app.facts, &payload)?;
    let stamp = Stamp {
        from: app.mailer.from.clone(),
        // A mailbox recognises a mail that comes twice by this.
        message_id: format!("{}@boxoffice", row.id),
        date: row.created_at,
    };
    let render = move || notice.email(stamp);
    Ok(tokio::task::spawn_blocking(render).await??)
}

/// How an attempt ended, as its row says it.
#[derive(Clone)]
struct Outcome {
    id: Uuid,
    attempts: i32,
    status: &'static str,
    wait_secs: f64,
    error: Option<String>,
}

impl Outcome {
    fn of(row: &Due, sent: Result<(), MailError>) -> Self {
        let (status, wait_secs, error) = match sent {
            Ok(()) => ("sent", 0.0, None),
            Err(MailError::Temporary(error)) if row.attempts < MAX_ATTEMPTS => {
                let step = usize::try_from(row.attempts - 1).unwrap_or(0);
                let wait_secs = BACKOFF_SECS[step.min(BACKOFF_SECS.len() - 1)];
                tracing::warn!(notification_id = %row.id, error, "mail not accepted yet");
                ("queued", wait_secs, Some(error))
            }
            Err(MailError::Temporary(error) | MailError::Permanent(error)) => {
                tracing::error!(notification_id = %row.id, error, "mail cannot be sent");
                ("failed", 0.0, Some(error))
            }
        };
        Self {
            id: row.id,
            attempts: row.attempts,
            status,
            wait_secs,
            error,
        }
    }
}

/// Whose lease ran out meanwhile writes nothing: the attempt that took over decides.
async fn record(app: &App, outcome: Outcome) -> Result<(), Error> {
    app.db
        .run(outcome, |tx, outcome| {
            Box::pin(async move {
                // Waits differ a little, so that what failed together does not come back together.
                sqlx::query!(
                    "UPDATE notifications
                     SET status = $3,
                         next_attempt_at = clock_timestamp()
                             + make_interval(secs => $4 * (0.9 + 0.2 * random())),
                         last_error = $5,
                         sent_at = CASE WHEN $3 = 'sent' THEN clock_timestamp() END
                     WHERE id = $1 AND attempts = $2 AND status = 'sending'",
                    outcome.id,
                    outcome.attempts,
                    outcome.status,
                    outcome.wait_secs,
                    outcome.error.as_deref(),
                )
                .execute(tx)
                .await
                .map_err(DbError::from)?;
                Ok(())
            })
        })
        .await
}
