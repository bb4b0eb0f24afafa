//! Compares the counters of every pool with its ledger, and halts the sale of a pool where they differ:
//! better no ticket than one too many.
//!
//! Each round looks at all pools by their checkpoints (`store::audit`), which costs little and finds
//! within seconds what was changed past the service. What it suspects is recounted from the first row
//! of the ledger, and so is every pool in its turn, slowly, because old rows can be changed as well.
//! Replicas audit without knowing of each other.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use base::PoolId;
use db::{Db, DbError};
use kit::Tasks;
use time::OffsetDateTime;
use tokio::sync::{Mutex, Notify};
use uuid::Uuid;

use crate::{
    error::Error,
    store::{
        audit::{self, Due, Look, Times},
        halts::{self, Halted},
    },
};

/// Recounts that cannot wait get so much of a round; what is left over is found again by the next.
const AT_ONCE_BUDGET: Duration = Duration::from_millis(500);
/// The others get this much, or one recount, and then pause for so many times what it took: two
/// percent of one core at most, whatever the size of the ledger.
const IN_TURN_BUDGET: Duration = Duration::from_millis(20);
const PAUSE_FACTOR: u32 = 49;
/// A pool is recounted this often, if the pauses allow it.
const RECOUNT_EVERY_SECS: f64 = 60.0;

/// Starts the auditor; it ends with the service's tasks.
pub fn start(tasks: &Tasks, db: Db, every: Duration) {
    let auditor = Arc::new(Mutex::new(Auditor {
        db,
        times: Times::default(),
        after: Uuid::nil(),
        pause_until: None,
        skipped: HashSet::new(),
        told: HashSet::new(),
    }));
    tasks.job("audit_pools", every, Arc::new(Notify::new()), move || {
        let auditor = auditor.clone();
        async move {
            let mut auditor = auditor.lock().await;
            let audited = auditor.round().await;
            auditor.tell().await?;
            audited?;
            Ok(false)
        }
    });
}

struct Auditor {
    db: Db,
    times: Times,
    /// Where the next look goes on.
    after: Uuid,
    pause_until: Option<Instant>,
    /// Pools whose turn came and failed: the others go first.
    skipped: HashSet<PoolId>,
    /// The halts that are in the log.
    told: HashSet<(PoolId, OffsetDateTime)>,
}

impl Auditor {
    async fn round(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        let look = self.look().await?;
        self.after = look.next_after;
        self.times.settled_at = look.settled_at;
        if self.times.is_over(&look) {
            let mark = self.db.read((), |conn, ()| Box::pin(audit::mark(conn)));
            self.times.mark = Some(mark.await?);
        }
        let (new, in_turn): (Vec<Due>, Vec<Due>) =
            self.due().await?.into_iter().partition(|due| due.is_new);
        for &pool_id in &look.suspects {
            self.recount_suspect(pool_id).await;
            if begun.elapsed() > AT_ONCE_BUDGET {
                break;
            }
        }
        for due in &new {
            if begun.elapsed() > AT_ONCE_BUDGET {
                break;
            }
            self.told_recount(due.pool_id).await;
        }
        self.step_on(&look.overlong).await;
        let in_turn = in_turn.iter().map(|due| due.pool_id);
        self.recount_in_turn(in_turn.collect()).await;
        metrics::histogram!("pool_audit_round_seconds").record(begun.elapsed());
        Ok(())
    }

    /// Sees what is suspicious, and moves the checkpoints on.
    async fn look(&self) -> Result<Look, Error> {
        let input = (self.times.clone(), self.after);
        let look = self.db.read(input, |conn, (times, after)| {
            Box::pin(audit::look(conn, times, *after))
        });
        let look = look.await?;
        if !look.moves.is_empty() {
            let moved = self.db.run(look.moves.clone(), |conn, moves| {
                Box::pin(audit::move_on(conn, moves))
            });
            moved.await?;
        }
        Ok(look)
    }

    /// Pools with more new rows than a look adds up get as many steps as there is time for; the next
    /// rounds do the rest, and from then on a look can suspect them.
    async fn step_on(&self, overlong: &[PoolId]) {
        let (begun, Some(settled_at)) = (Instant::now(), self.times.settled_at) else {
            return;
        };
        for &pool_id in overlong {
            let mut moves = true;
            while moves && begun.elapsed() < AT_ONCE_BUDGET {
                let step = self
                    .db
                    .run((pool_id, settled_at), |conn, (id, settled_at)| {
                        Box::pin(audit::step_on(conn, *id, *settled_at))
                    });
                moves = step.await.unwrap_or_else(|error| {
                    not_recounted(pool_id, &error);
                    false
                });
            }
        }
    }

    async fn due(&self) -> Result<Vec<Due>, Error> {
        let due = self.db.read((), |conn, ()| {
            Box::pin(audit::due(conn, RECOUNT_EVERY_SECS))
        });
        due.await
    }

    async fn recount_in_turn(&mut self, due: Vec<PoolId>) {
        let begun = Instant::now();
        if self.pause_until.is_some_and(|until| begun < until) {
            return;
        }
        if due.iter().all(|pool_id| self.skipped.contains(pool_id)) {
            self.skipped.clear();
        }
        for pool_id in due {
            if self.skipped.contains(&pool_id) {
                continue;
            }
            if self.told_recount(pool_id).await.is_none() {
                self.skipped.insert(pool_id);
            }
            let took = begun.elapsed();
            self.pause_until = Some(begun + took * (1 + PAUSE_FACTOR));
            if took > IN_TURN_BUDGET {
                break;
            }
        }
    }

    /// What cannot be recounted in time is halted on suspicion: better no ticket than one too many.
    async fn recount_suspect(&self, pool_id: PoolId) {
        match self.recount(pool_id).await {
            Ok(true) => {
                tracing::warn!(%pool_id, "the checkpoint of a pool was wrong, its counters are right");
            }
            Ok(false) => {}
            Err(Error::Db(DbError::Timeout)) => {
                let halted = self.db.run(pool_id, |conn, pool_id| {
                    Box::pin(halts::halt_suspect(conn, *pool_id))
                });
                match halted.await {
                    Ok(halted) => {
                        tracing::warn!(%pool_id, halted, "a suspect pool took too long to recount");
                    }
                    Err(error) => not_recounted(pool_id, &error),
                }
            }
            Err(error) => not_recounted(pool_id, &error),
        }
    }

    /// Whether counters and ledger agree; none if that could not be told, which keeps no other pool
    /// from being audited.
    async fn told_recount(&self, pool_id: PoolId) -> Option<bool> {
        let agrees = self.recount(pool_id).await;
        agrees
            .inspect_err(|error| not_recounted(pool_id, error))
            .ok()
    }

    async fn recount(&self, pool_id: PoolId) -> Result<bool, Error> {
        let input = (pool_id, self.times.settled_at);
        let agrees = self.db.run(input, |conn, (pool_id, settled_at)| {
            Box::pin(audit::recount(conn, *pool_id, *settled_at))
        });
        agrees.await
    }

    /// Halts are told from what is stored, so each replica tells of each, and tells again after it
    /// was started.
    async fn tell(&mut self) -> Result<(), Error> {
        let halted = self.db.read((), |conn, ()| Box::pin(halts::halted(conn)));
        let (halted, count) = halted.await?;
        #[expect(clippy::cast_precision_loss, reason = "there are not that many pools")]
        metrics::gauge!("pools_halted").set(count as f64);
        let known: HashSet<_> = halted.iter().map(key).collect();
        for pool in halted.iter().filter(|pool| !self.told.contains(&key(pool))) {
            tracing::error!(
                pool_id = %pool.pool_id,
                event_id = %pool.event_id,
                found = pool.reason,
                "the sale of a pool is halted: its counters and its ledger differ"
            );
        }
        self.told = known;
        Ok(())
    }
}

fn not_recounted(pool_id: PoolId, error: &Error) {
    tracing::warn!(%pool_id, %error, "a pool could not be recounted");
}

fn key(pool: &Halted) -> (PoolId, OffsetDateTime) {
    (pool.pool_id, pool.halted_at)
}
