//! How attempts ended, written back together: what was sent is on record already (`handed_over`), so no outcome hurries.

use std::time::Duration;

use batch::{Batcher, Limits};
use db::{Db, DbError};
use kit::Tasks;
use uuid::Uuid;

use super::{
    handed_over::{Accepted, NOTES_MAX},
    lease::Due,
};
use crate::{
    error::Error,
    mailer::{Class, MailError},
};

/// After a temporary failure: 1 min, 5 min, 30 min, 2 h, then every 12 h.
const BACKOFF_SECS: [f64; 5] = [60.0, 300.0, 1_800.0, 7_200.0, 43_200.0];
const LIMITS: Limits = Limits {
    name: "mail_outcomes",
    batch_max: NOTES_MAX as usize,
    queue_max: 1_024,
    overtake_after: None,
};
/// After a batch, so that the next is larger. A mail that comes alone waits for nobody.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone, Debug)]
pub(super) struct Outcome {
    id: Uuid,
    /// The number of the lease under which it was sent.
    attempts: i32,
    end: End,
}

#[derive(Clone, Debug)]
enum End {
    Sent,
    /// To be tried again, as long as there is time.
    Again {
        failure: MailError,
        wait_secs: f64,
        counts: bool,
    },
    Failed(MailError),
    /// It came too late to be of use. Nobody has to do anything about it.
    Stale(MailError),
}

impl Outcome {
    pub fn sent(row: &Due) -> Self {
        Self::new(row, End::Sent)
    }

    /// What an earlier process was told by the mail server.
    pub fn accepted(accepted: Accepted) -> Self {
        Self {
            id: accepted.id,
            attempts: accepted.attempts,
            end: End::Sent,
        }
    }

    pub fn stale(row: &Due) -> Self {
        let failure = MailError::content(&"the time for it was over before it could be sent");
        Self::new(row, End::Stale(failure))
    }

    /// The attempt says nothing about the mail: it does not count, and comes again after this long.
    pub fn put_back(row: &Due, failure: MailError, wait: Duration) -> Self {
        let end = End::Again {
            failure,
            wait_secs: wait.as_secs_f64(),
            counts: false,
        };
        Self::new(row, end)
    }

    /// As the class of the failure says.
    pub fn failed(row: &Due, failure: MailError) -> Self {
        let end = match failure.class {
            Class::Server | Class::Temporary | Class::Unknown => {
                let step = usize::try_from(row.failures).unwrap_or(0);
                End::Again {
                    failure,
                    wait_secs: BACKOFF_SECS[step.min(BACKOFF_SECS.len() - 1)],
                    counts: true,
                }
            }
            Class::Permanent | Class::Content | Class::Bounce => End::Failed(failure),
        };
        Self::new(row, end)
    }

    fn new(row: &Due, end: End) -> Self {
        let (id, attempts) = (row.id, row.attempts);
        Self { id, attempts, end }
    }

    const fn word(&self) -> &'static str {
        match self.end {
            End::Sent => "sent",
            End::Again { .. } => "queued",
            End::Failed(_) | End::Stale(_) => "failed",
        }
    }

    const fn wait_secs(&self) -> f64 {
        match self.end {
            End::Again { wait_secs, .. } => wait_secs,
            End::Sent | End::Failed(_) | End::Stale(_) => 0.0,
        }
    }

    const fn is_stale(&self) -> bool {
        matches!(self.end, End::Stale(_))
    }

    const fn counts(&self) -> bool {
        matches!(self.end, End::Again { counts: true, .. })
    }

    const fn failure(&self) -> Option<&MailError> {
        match &self.end {
            End::Sent => None,
            End::Again { failure, .. } | End::Failed(failure) | End::Stale(failure) => {
                Some(failure)
            }
        }
    }
}

/// Writes outcomes.
pub(super) struct Record(Batcher<Outcome, Stored>);

/// What became of an outcome.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    /// The status that the row has now.
    As(String),
    /// The lease was lost: the attempt that took over decides.
    Late,
    /// Nothing is known; to be tried again.
    Away,
    /// The database will not have it.
    Refused,
}

impl Record {
    pub fn start(tasks: &Tasks, db: &Db) -> Self {
        let session = db.lane_session();
        let shared = session.clone();
        let (batcher, worker) = batch::batcher(LIMITS, move |all| {
            let session = shared.clone();
            async move {
                let stored = store(&session, all).await;
                // Sleeps: others gather meanwhile.
                tokio::time::sleep(PAUSE).await;
                stored
            }
        });
        tasks.spawn(async move {
            worker.await;
            session.close().await;
        });
        Self(batcher)
    }

    pub async fn store(&self, outcome: Outcome) -> Stored {
        self.0.submit(outcome).await.unwrap_or(Stored::Away)
    }
}

async fn store(session: &Db, all: Vec<Outcome>) -> Vec<Stored> {
    let together = store_together(session, all.clone()).await;
    if all.len() == 1 || !matches!(together[..], [Stored::Refused, ..]) {
        return together;
    }
    // One that is refused is no reason not to store the others.
    let mut stored = Vec::with_capacity(all.len());
    for outcome in all {
        stored.extend(store_together(session, vec![outcome]).await);
    }
    stored
}

async fn store_together(session: &Db, all: Vec<Outcome>) -> Vec<Stored> {
    let ids: Vec<Uuid> = all.iter().map(|one| one.id).collect();
    match update(session, all).await {
        Ok(rows) => {
            let stored = |id: &Uuid| {
                let row = rows.iter().find(|(row, _)| row == id);
                row.map_or(Stored::Late, |(_, status)| Stored::As(status.clone()))
            };
            ids.iter().map(stored).collect()
        }
        Err(error) => {
            tracing::warn!(%error, mails = ids.len(), "outcomes not stored yet");
            let stored = match error {
                // What is said of a row. All else may be over in a moment: a standby takes nothing until it leads.
                Error::Db(DbError::Constraint { .. } | DbError::Invalid(_)) => Stored::Refused,
                _ => Stored::Away,
            };
            vec![stored; ids.len()]
        }
    }
}

/// The rows that were written, and their status.
async fn update(session: &Db, mut all: Vec<Outcome>) -> Result<Vec<(Uuid, String)>, Error> {
    all.sort_by_key(|one| one.id);
    let columns = Columns::of(&all);
    session
        .run_statement(columns, |tx, c| {
            Box::pin(async move {
                // Waits differ a little, so that what failed together does not come back together.
                let rows = sqlx::query!(
                    r#"WITH ended AS (
                         SELECT n.id, o.status, o.wait_secs, o.counts, o.error, o.class, o.code,
                             o.stale
                         FROM unnest($1::uuid[], $2::int[], $3::text[], $4::float8[], $5::bool[],
                                 $6::text[], $7::text[], $8::smallint[], $9::bool[])
                             AS o (id, attempts, status, wait_secs, counts, error, class, code, stale)
                         -- One by one, in the order of the ids: a plan for all at once would go over
                         -- everything that waits, in a rush that the planner knows nothing of. So would
                         -- one that sees the status here, through the index of what waits, which was
                         -- empty when the planner looked; OFFSET keeps it out (decision 0039).
                         CROSS JOIN LATERAL (
                             SELECT n.id, n.attempts, n.status FROM notifications n
                             WHERE n.id = o.id OFFSET 0
                             FOR UPDATE) n
                         WHERE n.attempts = o.attempts AND n.status = 'sending')
                     UPDATE notifications n
                     SET status = CASE WHEN e.counts AND clock_timestamp() >= n.give_up_at
                             THEN 'failed' ELSE e.status END,
                         failures = n.failures + e.counts::int,
                         next_attempt_at = clock_timestamp()
                             + make_interval(secs => e.wait_secs * (0.9 + 0.2 * random())),
                         last_error = e.error, error_class = e.class, reply_code = e.code,
                         sent_at = CASE WHEN e.status = 'sent' THEN clock_timestamp() END,
                         dismissed_at = CASE WHEN e.stale THEN clock_timestamp() END
                     FROM ended e
                     WHERE n.id = e.id
                     RETURNING n.id, n.status"#,
                    &c.ids,
                    &c.attempts,
                    &c.statuses,
                    &c.waits_secs,
                    &c.counts,
                    &c.errors as &[Option<String>],
                    &c.classes as &[Option<String>],
                    &c.codes as &[Option<i16>],
                    &c.stale,
                )
                .fetch_all(tx)
                .await
                .map_err(DbError::from)?;
                Ok(rows.into_iter().map(|row| (row.id, row.status)).collect())
            })
        })
        .await
}

/// A column each, as the statement wants them.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    attempts: Vec<i32>,
    statuses: Vec<String>,
    waits_secs: Vec<f64>,
    counts: Vec<bool>,
    errors: Vec<Option<String>>,
    classes: Vec<Option<String>>,
    codes: Vec<Option<i16>>,
    stale: Vec<bool>,
}

impl Columns {
    fn of(outcomes: &[Outcome]) -> Self {
        let mut columns = Self::default();
        for outcome in outcomes {
            let failure = outcome.failure();
            columns.ids.push(outcome.id);
            columns.attempts.push(outcome.attempts);
            columns.statuses.push(outcome.word().to_owned());
            columns.waits_secs.push(outcome.wait_secs());
            columns.counts.push(outcome.counts());
            columns
                .errors
                .push(failure.map(|failure| failure.text.clone()));
            columns
                .classes
                .push(failure.map(|failure| failure.class.word().to_owned()));
            columns.stale.push(outcome.is_stale());
            columns
                .codes
                .push(failure.and_then(|failure| failure.reply_code));
        }
        columns
    }
}
