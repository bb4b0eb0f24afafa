//! Takes rows to be sent, and keeps them while they are at work. A lease is short, so that what a killed
//! process had taken is soon due again, and is renewed while its mail is on its way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use db::DbError;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{app::App, error::Error, kinds::Kind};

const LEASE_SECS: f64 = 30.0;
pub(super) const RENEW_INTERVAL: Duration = Duration::from_secs(8);
/// How long temporary failures are followed by another try, from the first try on.
const GIVE_UP_SECS: f64 = 72.0 * 3_600.0;

/// A notification whose lease we have.
pub(super) struct Due {
    pub id: Uuid,
    pub kind: String,
    /// Which attempt this is, from 1: the lease's number.
    pub attempts: i32,
    /// Temporary failures before this attempt.
    pub failures: i32,
    pub content: Vec<u8>,
    pub created_at: OffsetDateTime,
    pub traceparent: Option<String>,
    /// The Message-ID without brackets.
    pub mail_id: String,
    pub recipient_domain: String,
    /// `sending`, unless it was withdrawn while another process had it.
    pub status: String,
}

/// What is to be taken.
pub(super) struct Wish {
    pub rows: i64,
    /// Domains whose servers are slow at the moment.
    pub domains: Vec<String>,
    /// Only these domains, or all but these.
    pub only: bool,
    /// Leases that ran out are left alone.
    pub queued_only: bool,
    /// Not these: they are on their way here, even if their leases ran out while the database was away.
    pub held: Vec<Uuid>,
}

struct Ask {
    wish: Wish,
    kinds: Vec<String>,
    mail_domain: String,
}

/// What somebody waits for comes before all else that is due. A kind of a newer version is left to
/// that version.
pub(super) async fn lease(app: &App, wish: Wish) -> Result<Vec<Due>, Error> {
    let ask = Ask {
        wish,
        kinds: Kind::ALL.map(|kind| kind.word().to_owned()).to_vec(),
        mail_domain: app.mailer.domain().to_owned(),
    };
    app.queue
        .run_statement(ask, |tx, ask| {
            Box::pin(async move {
                let rows = sqlx::query_as!(
                    Due,
                    r#"UPDATE notifications
                     SET status = 'sending', attempts = attempts + 1,
                         next_attempt_at = clock_timestamp() + make_interval(secs => $1),
                         give_up_at = coalesce(give_up_at,
                             clock_timestamp() + make_interval(secs => $2)),
                         mail_id = coalesce(mail_id, concat(id, '@', $3::text))
                     WHERE id = ANY (ARRAY(
                         SELECT id FROM notifications
                         WHERE status IN ('queued', 'sending')
                           -- Not clock_timestamp(): what changes within a statement is no condition of
                           -- an index, and all that waits for later would be read.
                           AND next_attempt_at <= statement_timestamp()
                           AND kind = ANY ($4)
                           AND (recipient_domain = ANY ($5)) = $6
                           AND id <> ALL ($8)
                           AND (status = 'queued' OR NOT $9)
                         ORDER BY priority, next_attempt_at
                         LIMIT $7
                         FOR UPDATE SKIP LOCKED))
                     RETURNING id, kind, attempts, failures, content, created_at, traceparent,
                         mail_id AS "mail_id!", recipient_domain AS "recipient_domain!", status"#,
                    LEASE_SECS,
                    GIVE_UP_SECS,
                    ask.mail_domain,
                    &ask.kinds,
                    &ask.wish.domains,
                    ask.wish.only,
                    ask.wish.rows,
                    &ask.wish.held,
                    ask.wish.queued_only,
                )
                .fetch_all(tx)
                .await
                .map_err(DbError::from)?;
                Ok(rows)
            })
        })
        .await
        .map(|rows| {
            rows.into_iter()
                .filter(|row| row.status == "sending")
                .collect()
        })
}

/// The leases of this process: notification and attempt.
#[derive(Default)]
pub(super) struct Held(Mutex<HashMap<Uuid, i32>>);

/// A lease that is renewed as long as this value lives.
pub(super) struct Lease {
    held: Arc<Held>,
    id: Uuid,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.rows().remove(&self.id);
    }
}

impl Held {
    pub fn take(self: &Arc<Self>, row: &Due) -> Lease {
        self.rows().insert(row.id, row.attempts);
        Lease {
            held: self.clone(),
            id: row.id,
        }
    }

    pub fn ids(&self) -> Vec<Uuid> {
        self.rows().keys().copied().collect()
    }

    /// One that was lost meanwhile is left to whoever has it now.
    pub async fn renew(&self, app: &App) -> Result<(), Error> {
        let (ids, attempts): (Vec<Uuid>, Vec<i32>) = self
            .rows()
            .iter()
            .map(|(id, attempts)| (*id, *attempts))
            .unzip();
        if ids.is_empty() {
            return Ok(());
        }
        app.db
            .run((ids, attempts), |tx, (ids, attempts)| {
                Box::pin(async move {
                    sqlx::query!(
                        "WITH held AS (
                             SELECT n.id
                             FROM (SELECT h.id, h.attempts FROM unnest($1::uuid[], $2::int[]) AS h (id, attempts)
                                   ORDER BY h.id) h
                             -- By its key, as where outcomes are stored.
                             CROSS JOIN LATERAL (
                                 SELECT n.id, n.attempts, n.status FROM notifications n
                                 WHERE n.id = h.id OFFSET 0
                                 FOR UPDATE) n
                             WHERE n.attempts = h.attempts AND n.status = 'sending')
                         UPDATE notifications
                         SET next_attempt_at = clock_timestamp() + make_interval(secs => $3)
                         WHERE id IN (SELECT id FROM held)",
                        ids,
                        attempts,
                        LEASE_SECS,
                    )
                    .execute(tx)
                    .await
                    .map_err(DbError::from)?;
                    Ok(())
                })
            })
            .await
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
