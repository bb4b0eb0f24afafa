//! What a batch does before somebody is refused.

use std::{collections::HashSet, time::Duration};

use base::{EventId, PoolId};

use super::{
    batch::{Batch, Plan},
    decide::Because,
};
use crate::{
    error::Error,
    store::dead_holds::{self, Reclaimed},
};

/// Between two looks for stock that somebody else is about to give back.
const WAIT: Duration = Duration::from_millis(10);
/// Two seconds, as for a lock.
const WAITS_MAX: u32 = 200;

impl Batch<'_> {
    /// Refuses what the database has confirmed; before, it takes back what dead holds have of it.
    pub(super) async fn refuse(&mut self, plan: Plan) -> Result<bool, Error> {
        if self.reread_for_unknown_types(&plan) || self.reclaim(&plan).await? {
            return Ok(true);
        }
        let held = plan
            .refusals
            .iter()
            .filter_map(|(_, _, because)| held(because));
        let held: HashSet<PoolId> = held.flatten().copied().collect();
        self.memory
            .look_into(held.intersection(&self.reclaimed).copied());
        for (place, error, _) in plan.refusals {
            self.answers[place] = Some(Err(error));
        }
        self.open.clear();
        Ok(true)
    }

    /// A type that an old picture does not show may have been made since.
    fn reread_for_unknown_types(&mut self, plan: &Plan) -> bool {
        let unknown = plan.refusals.iter();
        let unknown = unknown.filter(|(_, _, because)| *because == Because::UnknownType);
        let unknown = unknown.map(|(place, _, _)| self.wishes[*place].event_id);
        let (in_vain, outdated): (HashSet<EventId>, HashSet<EventId>) =
            unknown.partition(|id| self.loaded.contains(id));
        in_vain.iter().for_each(|id| self.memory.note_in_vain(*id));
        let given_up = outdated.iter().filter(|id| self.memory.give_up(**id));
        let given_up = given_up.count() > 0;
        self.checked &= !given_up;
        given_up
    }

    /// Ends dead holds that have what is missing, and has the pools locked afterwards, so that what others give
    /// back is seen too. False where that is done, or was done a moment ago.
    async fn reclaim(&mut self, plan: &Plan) -> Result<bool, Error> {
        let held = plan
            .refusals
            .iter()
            .filter_map(|(_, _, because)| held(because));
        let short: HashSet<PoolId> = held
            .flatten()
            .filter(|id| !self.reclaimed.contains(id) && !self.memory.looked_into(**id))
            .copied()
            .collect();
        if short.is_empty() {
            return Ok(false);
        }
        let pools: Vec<PoolId> = short.iter().copied().collect();
        match dead_holds::reclaim_of_pools(&self.lane.session, pools).await? {
            Reclaimed::Some => {}
            Reclaimed::None => self.reclaimed.extend(short),
            Reclaimed::ByOthers if self.waits < WAITS_MAX => {
                self.waits += 1;
                // Sleeps: whoever has it is through in a few of these.
                tokio::time::sleep(WAIT).await;
            }
            Reclaimed::ByOthers => return Err(Error::Db(db::DbError::Busy)),
        }
        self.must_lock = true;
        self.checked = false;
        Ok(true)
    }
}

pub fn held(because: &Because) -> Option<&Vec<PoolId>> {
    match because {
        Because::Held(pools) => Some(pools),
        _ => None,
    }
}
