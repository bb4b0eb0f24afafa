//! What is left of every event, told to watchers as it changes. One look at the database in a tick
//! serves all watchers of a process, and sees what any replica did. It informs; only a hold decides.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use db::Db;
use kit::Tasks;
use proto::ticket::EventAvailability;
use time::OffsetDateTime;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use uuid::Uuid;

use crate::error::Error;

mod look;

use look::{Found, Sight};

/// Between two looks, while anybody watches.
const TICK: Duration = Duration::from_millis(80);
/// After a look that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// Everything is looked at again so often: another database may have taken over without a failed look,
/// and its numbers of transactions say nothing about those of the one before.
const WHOLE_EVERY: Duration = Duration::from_secs(30);

/// What all watchers share.
#[derive(Debug)]
pub struct Board {
    known: Mutex<Known>,
    /// None while nobody has looked yet.
    told: watch::Sender<Option<Told>>,
    /// Somebody has begun to watch.
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// Counts the looks that found something new.
    turn: u64,
    /// By event: the look that found it like this.
    events: BTreeMap<Uuid, (u64, EventAvailability)>,
}

/// The last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Of the last look that found something new.
    pub turn: u64,
    /// Everything before this time has been seen.
    pub as_of: OffsetDateTime,
}

impl Board {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            known: Mutex::default(),
            told: watch::Sender::new(None),
            wanted: Notify::new(),
        })
    }

    /// Looks while anybody watches; ends with the tasks.
    pub fn start(self: &Arc<Self>, tasks: &Tasks, db: Db) {
        let (board, shutdown) = (self.clone(), tasks.shutdown().clone());
        tasks.spawn(async move {
            tokio::select! {
                () = shutdown.begun() => {}
                () = board.keep_looking(&db) => {}
            }
        });
    }

    /// Every look from now on, beginning with the last one if there is any.
    pub fn watch(&self) -> watch::Receiver<Option<Told>> {
        let looks = self.told.subscribe();
        self.wanted.notify_one();
        looks
    }

    /// What was found after that turn.
    pub fn since(&self, turn: u64) -> Vec<EventAvailability> {
        let known = self.known();
        let later = known.events.values().filter(|(found, _)| *found > turn);
        later.map(|(_, event)| event.clone()).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_looking(&self, db: &Db) {
        loop {
            self.wanted.notified().await;
            let (mut sight, mut whole_at) = (Sight::default(), Instant::now());
            while self.told.receiver_count() > 0 {
                if whole_at.elapsed() >= WHOLE_EVERY {
                    (sight, whole_at) = (Sight::default(), Instant::now());
                }
                let pause = match self.look(db, &mut sight).await {
                    Ok(()) => TICK,
                    Err(error) => {
                        // Watchers hear nothing, and know what that means. Nothing is known of the
                        // database that answers next.
                        tracing::warn!(%error, "what is left cannot be seen");
                        sight = Sight::default();
                        PAUSE
                    }
                };
                tokio::time::sleep(pause).await;
            }
            // Whoever comes next must not be told what was true then.
            self.told.send_replace(None);
            *self.known() = Known::default();
        }
    }

    async fn look(&self, db: &Db, sight: &mut Sight) -> Result<(), Error> {
        let found = db
            .read(sight.clone(), |conn, sight| {
                Box::pin(look::look(conn, sight))
            })
            .await?;
        let as_of = found.sight.as_of;
        *sight = found.sight.clone();
        let turn = self.write_down(found);
        if let Some(as_of) = as_of {
            self.told.send_replace(Some(Told { turn, as_of }));
        }
        Ok(())
    }

    /// Keeps what is new; the turn of the last news.
    fn write_down(&self, found: Found) -> u64 {
        let mut known = self.known();
        let turn = known.turn + 1;
        if found.is_whole {
            let all: BTreeSet<Uuid> = found.events.iter().map(|(id, _)| *id).collect();
            known.events.retain(|id, _| all.contains(id));
        }
        for id in found.gone {
            known.events.remove(&id);
        }
        for (id, event) in found.events {
            let is_news = known.events.get(&id).is_none_or(|(_, old)| *old != event);
            if is_news {
                known.events.insert(id, (turn, event));
                known.turn = turn;
            }
        }
        // The first look is news even if there is no event.
        known.turn = known.turn.max(1);
        known.turn
    }
}
