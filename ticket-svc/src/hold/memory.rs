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

/// An event is not read again for types that its picture does not show, and an absent one not looked
/// for again, before so long: anybody can make up ids.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub struct Memory {
    pub sales: HashMap<EventId, Sale>,
    pub pools: HashMap<PoolId, Level>,
    /// The database's clock, and when it was read.
    clock: Option<(OffsetDateTime, Instant)>,
    looked_into: HashMap<PoolId, Instant>,
    /// When an event was read for a type that it does not have.
    in_vain: HashMap<EventId, Instant>,
    /// Events that were not there.
    absent: HashMap<EventId, Instant>,
}

impl Memory {
    /// Before a batch: what it learns stays to its end.
    pub fn make_room(&mut self) {
        if self.sales.len() >= SALES_MAX {
            *self = Self::default();
        }
        if self.absent.len() >= SALES_MAX {
            self.absent.retain(|_, at| at.elapsed() < READ_AGAIN_AFTER);
        }
    }

    /// Forgets the picture of an event that does not show a type, unless it was read in vain for one a
    /// moment ago.
    pub fn give_up(&mut self, id: EventId) -> bool {
        let before = self.in_vain.get(&id);
        if before.is_some_and(|at| at.elapsed() < READ_AGAIN_AFTER) {
            return false;
        }
        self.sales.remove(&id);
        true
    }

    /// Its newest picture does not show the type either.
    pub fn note_in_vain(&mut self, id: EventId) {
        self.in_vain.insert(id, Instant::now());
    }

    pub fn is_absent(&self, id: EventId) -> bool {
        let at = self.absent.get(&id);
        at.is_some_and(|at| at.elapsed() < READ_AGAIN_AFTER)
    }

    /// These were asked for; those that have no picture are not there.
    pub fn note_absent(&mut self, asked: impl Iterator<Item = EventId>) {
        let now = Instant::now();
        for id in asked.filter(|id| !self.sales.contains_key(id)) {
            self.absent.insert(id, now);
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

#[cfg(test)]
mod tests {
    use super::*;
    use base::Sources;

    #[test]
    fn a_made_up_id_costs_one_reading_in_a_while() {
        let event = EventId::new(&Sources::system());
        let mut memory = Memory::default();
        assert!(memory.give_up(event) && memory.give_up(event));
        memory.note_in_vain(event);
        assert!(!memory.give_up(event));
        assert!(!memory.is_absent(event));
        memory.note_absent([event].into_iter());
        assert!(memory.is_absent(event));
        // Sleeps: the pause is over.
        std::thread::sleep(READ_AGAIN_AFTER);
        assert!(memory.give_up(event));
        assert!(!memory.is_absent(event));
    }
}
