//! What a lane remembers between two batches. It saves questions; nothing is granted or refused on
//! its word alone.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use base::{EventId, PoolId};
use time::OffsetDateTime;

use super::{
    decide::{Facts, Level},
    sale::Sale,
    store::Seen,
};

/// So many events at most; with one more it starts anew.
const SALES_MAX: usize = 4_096;
/// For so long a shortage counts as looked into: no dead hold had the stock, nobody was about to give
/// it back.
const LOOKED_INTO_FOR: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub struct Memory {
    pub sales: HashMap<EventId, Sale>,
    pub pools: HashMap<PoolId, Level>,
    /// The database's clock, and when it was read.
    clock: Option<(OffsetDateTime, Instant)>,
    looked_into: HashMap<PoolId, Instant>,
}

impl Memory {
    /// Before a batch: what it learns stays to its end.
    pub fn make_room(&mut self) {
        if self.sales.len() >= SALES_MAX {
            *self = Self::default();
        }
    }

    pub fn keep(&mut self, sale: Sale) {
        self.clock = Some((sale.event.now, Instant::now()));
        self.sales.insert(sale.event.id(), sale);
    }

    /// None before the first look at the database.
    pub fn facts(&self) -> Facts<'_> {
        let now = self.clock.map(|(then, read_at)| then + read_at.elapsed());
        Facts {
            sales: &self.sales,
            pools: &self.pools,
            // Without a clock there is no sale either, and nothing to compare with it.
            now: now.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        }
    }

    pub fn saw(&mut self, now: OffsetDateTime, pools: &[Seen]) {
        self.clock = Some((now, Instant::now()));
        let levels = pools.iter().map(|seen| (seen.pool_id, seen.level));
        self.pools.extend(levels);
    }

    /// Units that a batch has just taken.
    pub fn took(&mut self, pool_id: PoolId, units: i64) {
        let level = self.pools.get_mut(&pool_id);
        if let Some(free) = level.and_then(|level| level.free.as_mut()) {
            *free -= units;
        }
    }

    pub fn looked_into(&self, pool_id: PoolId) -> bool {
        let at = self.looked_into.get(&pool_id);
        at.is_some_and(|at| at.elapsed() < LOOKED_INTO_FOR)
    }

    pub fn look_into(&mut self, pools: impl Iterator<Item = PoolId>) {
        let now = Instant::now();
        self.looked_into.extend(pools.map(|pool_id| (pool_id, now)));
    }
}
