//! Ends the holds whose deadline passed and frees their stock: exactly those that no guard of an
//! operation lets through any more.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use base::PoolId;
use db::{Db, DbError};
use kit::Tasks;
use sqlx::PgConnection;
use tokio::sync::{Mutex, Notify};
use uuid::Uuid;

use crate::{
    error::Error,
    store::{
        dead_holds::{self, Batch, DEAD_BATCH},
        stock::Stuck,
    },
};

const EVERY: Duration = Duration::from_millis(250);
/// A hold that cannot end is tried again after this; meanwhile it takes no other's place in a batch.
const ASIDE: Duration = Duration::from_secs(10);
/// Transactions at once while a wave of holds dies: one alone gets too little of a busy machine.
const SWEEPS_IN_A_WAVE: usize = 3;
/// Of the first transaction of a round: guests wait for the first of a wave's stock.
const FIRST_BATCH: usize = 500;

/// Starts the sweeper; it ends with the service's tasks.
pub fn start(tasks: &Tasks, db: Db) {
    let sweeper = Arc::new(Mutex::new(Sweeper {
        db,
        aside: HashMap::new(),
        wave: false,
    }));
    tasks.job("expire_holds", EVERY, Arc::new(Notify::new()), move || {
        let sweeper = sweeper.clone();
        async move { Ok(sweeper.lock().await.round().await?) }
    });
}

struct Sweeper {
    db: Db,
    /// Holds that cannot end, with the time when they are tried again. Their pools were tampered with;
    /// an admin puts them right (`ResumePool`).
    aside: HashMap<Uuid, Instant>,
    /// The last round found more than it could end.
    wave: bool,
}

impl Sweeper {
    /// Whether there is more to do.
    async fn round(&mut self) -> Result<bool, Error> {
        let now = Instant::now();
        self.aside.retain(|_, until| now < *until);
        let aside: Vec<Uuid> = self.aside.keys().copied().collect();
        let (sweeps, most) = if self.wave {
            (SWEEPS_IN_A_WAVE, DEAD_BATCH)
        } else {
            (1, FIRST_BATCH)
        };
        let sweeps = (0..sweeps).map(|_| self.sweep_or_look(&aside, most));
        let swept = futures::future::join_all(sweeps).await;
        let mut failure = None;
        self.wave = false;
        for swept in swept {
            match swept {
                Ok(batch) => {
                    self.put_aside(&batch.stuck, now + ASIDE);
                    self.wave |= batch.found >= most;
                }
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(self.wave), Err)
    }

    async fn sweep_or_look(&self, aside: &[Uuid], most: usize) -> Result<Batch, Error> {
        match self.sweep(aside, most, Look::AtNone).await {
            Err(error) if is_of_a_hold(&error) => self.sweep(aside, most, Look::AtEach).await,
            swept => swept,
        }
    }

    async fn sweep(&self, aside: &[Uuid], most: usize, look: Look) -> Result<Batch, Error> {
        let aside = aside.to_vec();
        let sweep = self
            .db
            .run((aside, most, look), |conn, (aside, most, look)| {
                Box::pin(sweep(conn, aside, *most, *look))
            });
        sweep.await
    }

    fn put_aside(&mut self, stuck: &[Stuck], until: Instant) {
        let mut pools: HashMap<PoolId, u64> = HashMap::new();
        for one in stuck {
            self.aside.insert(one.hold, until);
            *pools.entry(one.pool_id).or_default() += 1;
        }
        for (pool_id, holds) in pools {
            metrics::counter!("holds_stuck_total").increment(holds);
            tracing::warn!(
                %pool_id,
                holds,
                "dead holds cannot give their stock back: the counters or the ledger of their pool are wrong"
            );
        }
    }
}

/// Whether it is asked of each hold before it ends that it can. Hardly ever can one not, and the schema says so
/// too, only to the whole batch.
#[derive(Clone, Copy, Debug)]
enum Look {
    AtNone,
    AtEach,
}

/// Not of the database, which would fail the same way once more.
fn is_of_a_hold(error: &Error) -> bool {
    !matches!(
        error,
        Error::Db(DbError::Busy | DbError::OutcomeUnknown | DbError::Timeout)
    )
}

/// Ends dead holds, up to `most` of each kind; those that somebody else is about to end are left to them. Each
/// deadline has an index of its own: asked for together, all that is dead would be gathered for each batch.
async fn sweep(
    conn: &mut PgConnection,
    aside: &[Uuid],
    most: usize,
    look: Look,
) -> Result<Batch, Error> {
    dead_holds::by_index_alone(conn).await?;
    let dead = sqlx::query_scalar!(
        r#"
        WITH active AS MATERIALIZED (
            SELECT h.id FROM holds h
            WHERE h.status = 'active' AND h.expires_at <= (SELECT clock_timestamp())
              AND h.id <> ALL ($2::uuid[])
            LIMIT $1 FOR UPDATE OF h SKIP LOCKED
        ), paying AS MATERIALIZED (
            SELECT h.id FROM holds h
            WHERE h.status = 'paying' AND h.paying_until <= (SELECT clock_timestamp())
              AND h.id <> ALL ($2::uuid[])
            LIMIT $1 FOR UPDATE OF h SKIP LOCKED
        )
        SELECT id AS "id!" FROM active UNION ALL SELECT id FROM paying
        "#,
        most as i64,
        aside,
    )
    .fetch_all(&mut *conn)
    .await?;
    match look {
        Look::AtNone => dead_holds::expire_all_or_none(conn, &dead).await,
        Look::AtEach => dead_holds::expire(conn, &dead).await,
    }
}
