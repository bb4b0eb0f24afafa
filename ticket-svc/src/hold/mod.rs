//! The hot path: holds are made in batches. While one batch is being committed the next one gathers,
//! so those who come at the same moment share a round trip, the locks and the flush.
//!
//! A batch is decided in memory, in the order of arrival, and made by one statement that locks the
//! pools, checks everything the decision rests on against the locked rows, and is its own
//! transaction. What memory got wrong is decided anew with what the statement saw. So memory is never
//! trusted, and any number of processes may sell at once.

mod batch;
mod decide;
mod lane;
mod memory;
mod refuse;
mod sale;
mod sheet;
mod store;
mod wish;

use std::sync::Arc;

use ::batch::{Limits, Refused};
use base::Sources;
use db::{Db, DbError};
use kit::Tasks;

use crate::{error::Error, store::holds::Hold};
use lane::Lane;
pub use sheet::Terms;
pub use wish::{Wish, WishLine};

/// Each has a session of its own and one batch at work. The holds of one event go through one lane,
/// so they follow one another, and a rush on one event is not in the way of every other.
const LANES: usize = 2;
const LIMITS: Limits = Limits {
    name: "holds",
    batch_max: 512,
    // A few batches; who comes later is told to try again.
    queue_max: 4_096,
    // They have one session.
    overtake_after: None,
};

/// A hot session knows a handful of statements. Their plans are made once, and by indexes alone,
/// whatever the tables looked like at that moment.
const SESSION: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
];

/// Where wishes go; closed before the service starts them and once it ends. Clones share the lanes.
#[derive(Clone, Debug, Default)]
pub struct Lanes(::batch::Lanes<Wish, Result<Hold, Error>>);

impl Lanes {
    /// Starts the lanes. With the service's tasks they take nothing more, work off what waits, and end.
    pub fn start(tasks: &Tasks, db: &Db, terms: &Terms, sources: &Sources) -> Self {
        let lanes = Self::default();
        for _ in 0..LANES {
            let session = db.kept_session(&SESSION);
            let lane = Lane::new(session.clone(), terms.clone(), sources.clone());
            let lane = Arc::new(lane);
            let (guests, worker) = ::batch::batcher(LIMITS, move |wishes| {
                let lane = lane.clone();
                async move { lane.hold(wishes).await }
            });
            lanes.0.open(guests);
            tasks.spawn(async move {
                worker.await;
                session.close().await;
            });
        }
        let open = lanes.0.clone();
        tasks.at_the_end(async move { open.close() });
        lanes
    }

    /// The hold that was asked for, new or stored. Dropping the future takes a wish back whose turn
    /// has not come.
    pub async fn hold(&self, wish: Wish) -> Result<Hold, Error> {
        let event = wish.event_id;
        let answer = self.0.submit_by(&event, wish).await;
        answer.map_err(unanswered)?
    }
}

/// What a wish hears that was not worked on, or whose batch broke.
fn unanswered(refused: Refused) -> Error {
    Error::Db(match refused {
        Refused::Full | Refused::Ended => DbError::Busy,
        Refused::Lost => DbError::OutcomeUnknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::{Certainty, ErrorReason};

    #[test]
    fn who_finds_no_room_comes_back_and_whose_batch_broke_does_not_know() {
        for refused in [Refused::Full, Refused::Ended] {
            let failure = unanswered(refused).failure();
            assert_eq!(failure.reason, ErrorReason::Overloaded);
            assert_eq!(failure.certainty, Certainty::NotDone);
            assert!(failure.retry_after.is_some());
        }
        let failure = unanswered(Refused::Lost).failure();
        assert_eq!(failure.certainty, Certainty::Unknown);
    }
}
