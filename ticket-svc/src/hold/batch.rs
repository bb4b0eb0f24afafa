//! One batch: decide, ask the database, and decide anew what came out otherwise, until every wish has
//! its answer.

use std::collections::{BTreeMap, HashMap, HashSet};

use base::{EventId, HoldId, PoolId};
use uuid::Uuid;

use super::{
    decide::{Because, Decision, Grant, decide},
    lane::Lane,
    memory::Memory,
    refuse::held,
    sale,
    sheet::{Days, pools},
    store::{self, Outcome, Sheet},
    wish::Wish,
};
use crate::{
    domain::{hold_day::day_turns, hold_state::HoldState},
    error::Error,
    store::holds::{self, Hold},
};

/// Counted up, it would revoke the secrets before.
const FIRST_GENERATION: u32 = 1;
/// Rounds without progress. Each of them means that another process was faster.
const ROUNDS_MAX: u32 = 8;

pub struct Batch<'a> {
    pub(super) lane: &'a Lane,
    pub(super) memory: &'a mut Memory,
    pub(super) wishes: &'a [&'a Wish],
    pub(super) answers: Vec<Option<Result<Hold, Error>>>,
    /// Places of the wishes without an answer, in the order of arrival.
    pub(super) open: Vec<usize>,
    /// Those whose hold is stored, to be read next.
    stored: Vec<(usize, HoldId)>,
    /// The database was looked at for all that is open, holds and pools at one moment, and memory is
    /// up to date. What `make` tells is of two moments, before it waited and after.
    pub(super) checked: bool,
    /// Sales that were read for this batch.
    pub(super) loaded: HashSet<EventId>,
    /// Pools without a dead hold, as far as this batch had to know.
    pub(super) reclaimed: HashSet<PoolId>,
    /// As it began, also if it ends after midnight.
    days: Days,
    /// How often somebody who is about to end a dead hold was waited for.
    pub(super) waits: u32,
    /// The next question waits for the pools' locks, and so for whoever is giving stock back.
    pub(super) must_lock: bool,
}

/// What is decided of the open wishes.
pub(super) struct Plan {
    /// With their places.
    grants: Vec<(usize, Grant)>,
    pub(super) refusals: Vec<(usize, Error, Because)>,
}

impl<'a> Batch<'a> {
    pub fn new(lane: &'a Lane, memory: &'a mut Memory, wishes: &'a [&'a Wish]) -> Self {
        Self {
            lane,
            memory,
            wishes,
            answers: wishes.iter().map(|_| None).collect(),
            open: (0..wishes.len()).collect(),
            stored: Vec::new(),
            checked: false,
            loaded: HashSet::new(),
            reclaimed: HashSet::new(),
            days: Days::at(lane.sources.now()),
            waits: 0,
            must_lock: false,
        }
    }

    pub fn left(&self) -> usize {
        self.open.len() + self.stored.len()
    }

    /// Answers every wish, or fails; then the rest has no answer yet.
    pub async fn work(&mut self) -> Result<(), Error> {
        let mut rounds = 0;
        while !self.open.is_empty() {
            rounds += 1;
            if rounds > ROUNDS_MAX {
                return Err(Error::Db(db::DbError::Busy));
            }
            self.load().await?;
            let plan = self.plan();
            let progress = if plan.grants.is_empty() && self.checked {
                self.refuse(plan).await?
            } else {
                let progress = self.ask(plan).await?;
                self.find_stored().await?;
                progress
            };
            if progress {
                rounds = 0;
            }
        }
        Ok(())
    }

    /// One answer for all that is left. Whose hold is stored must not hear that nothing was done.
    pub fn fail(&mut self, error: Error) {
        if !self.stored.is_empty() {
            tracing::warn!(%error, holds = self.stored.len(), "stored holds could not be read");
        }
        for (place, _) in self.stored.drain(..) {
            self.answers[place] = Some(Err(Error::Db(db::DbError::OutcomeUnknown)));
        }
        let alone = self.wishes.len() == 1 && !self.open.is_empty();
        for place in self.open.drain(..) {
            self.answers[place] = Some(Err(error.again()));
        }
        if alone {
            // It hears of it in full.
            self.answers[0] = Some(Err(error));
        }
    }

    pub fn answers_so_far(self) -> Vec<Option<Result<Hold, Error>>> {
        self.answers
    }

    pub fn answers(self) -> Vec<Result<Hold, Error>> {
        let answers = self.answers.into_iter();
        let answers = answers.map(|answer| answer.unwrap_or(Err(NO_ANSWER)));
        answers.collect()
    }

    fn open_wishes(&self) -> Vec<&'a Wish> {
        self.open.iter().map(|place| self.wishes[*place]).collect()
    }

    /// Reads the sales that memory has no picture of.
    async fn load(&mut self) -> Result<(), Error> {
        let unknown = self.open.iter().map(|place| self.wishes[*place].event_id);
        let unknown: HashSet<EventId> = unknown
            .filter(|id| !self.memory.sales.contains_key(id) && !self.memory.is_absent(*id))
            .collect();
        if unknown.is_empty() || (self.checked && unknown.is_subset(&self.loaded)) {
            return Ok(());
        }
        let ids: Vec<Uuid> = unknown.iter().map(|id| id.uuid()).collect();
        let sales = self.lane.session.read(ids, |conn, ids| {
            Box::pin(async move { sale::load(conn, ids).await })
        });
        for sale in sales.await? {
            self.memory.keep(sale);
        }
        self.memory.note_absent(unknown.iter().copied());
        self.loaded.extend(unknown);
        self.checked = false;
        Ok(())
    }

    fn plan(&self) -> Plan {
        let wishes = self.open_wishes();
        let decisions = decide(&self.memory.facts(), wishes.into_iter());
        let mut plan = Plan {
            grants: Vec::new(),
            refusals: Vec::new(),
        };
        for (place, decision) in self.open.iter().zip(decisions) {
            match decision {
                Decision::Grant(grant) => plan.grants.push((*place, grant)),
                Decision::Refuse(refusal) => {
                    plan.refusals.push((*place, refusal.error, refusal.because));
                }
                Decision::Wait => {}
            }
        }
        plan
    }

    /// Puts the plan to the database. True if anything was granted or found.
    async fn ask(&mut self, plan: Plan) -> Result<bool, Error> {
        let open = self.open_wishes();
        let make = self.must_lock || !plan.grants.is_empty();
        let asked = if make {
            self.to_lock(&plan)
        } else {
            pools(&self.memory.sales, &open)
        };
        let grants = plan.grants.iter();
        let grants = grants.map(|(place, grant)| (self.wishes[*place], grant));
        let sheet = Sheet::new((&self.lane.terms, &self.days), &asked, &open, grants);
        let outcome = if make {
            match self.make(sheet).await {
                // Another process has just stored one of them: the next question finds it.
                Err(error) if store::is_a_copy(&error) => return Ok(false),
                outcome => outcome?,
            }
        } else {
            let read = self.lane.session.read(sheet, |conn, sheet| {
                Box::pin(async move { store::look(conn, sheet).await })
            });
            read.await?
        };
        self.must_lock = false;
        let outdated = self.forget_outdated(&asked, &outcome);
        self.checked = !make && !outdated;
        Ok(self.absorb(&outcome, plan.grants))
    }

    async fn make(&self, sheet: Sheet) -> Result<Outcome, Error> {
        let session = &self.lane.session;
        if day_turns(self.lane.sources.now()) {
            // A copy with the id of another day is met by no key.
            let made = session.run(sheet, |conn, sheet| {
                Box::pin(async move { store::make_in_turn(conn, sheet).await })
            });
            return made.await;
        }
        let made = session.run_statement(sheet, |conn, sheet| {
            Box::pin(async move { store::make(conn, sheet).await })
        });
        made.await
    }

    /// The hold of a wish among those that are stored.
    fn find_in(&self, stored: &HashSet<HoldId>, wish: &Wish) -> Option<HoldId> {
        self.days.ids_of(wish).find(|id| stored.contains(id))
    }

    /// The pools of what is to be granted. Of a refused wish only what it lacks, where somebody may be
    /// giving that back.
    fn to_lock(&self, plan: &Plan) -> BTreeMap<PoolId, i64> {
        let granted = plan.grants.iter();
        let granted: Vec<&Wish> = granted.map(|(place, _)| self.wishes[*place]).collect();
        let mut to_lock = pools(&self.memory.sales, &granted);
        if !self.must_lock {
            return to_lock;
        }
        for (place, _, because) in &plan.refusals {
            if let Some(short) = held(because) {
                let of_wish = pools(&self.memory.sales, &[self.wishes[*place]]);
                to_lock.extend(of_wish.into_iter().filter(|(id, _)| short.contains(id)));
            }
        }
        to_lock
    }

    /// Takes up what the database said. True if a wish has its answer now, or its hold.
    fn absorb(&mut self, outcome: &Outcome, grants: Vec<(usize, Grant)>) -> bool {
        self.memory.saw(outcome.now, &outcome.pools);
        let before = self.open.len();
        let stored = outcome.stored.iter().copied().map(HoldId::from);
        let stored: HashSet<HoldId> = stored.collect();
        let mut made = HashSet::new();
        let grants = grants.into_iter().filter(|_| outcome.granted);
        for (place, grant) in grants {
            let wish = self.wishes[place];
            if self.find_in(&stored, wish).is_some() {
                continue;
            }
            for need in &grant.needs {
                self.memory.took(need.pool_id, need.quantity);
            }
            made.insert(wish.key_id);
            self.answers[place] = Some(Ok(self.hold(wish, grant, outcome)));
        }
        for place in std::mem::take(&mut self.open) {
            let wish = self.wishes[place];
            if self.answers[place].is_some() {
                continue;
            }
            if made.contains(&wish.key_id) {
                // With another body.
                self.answers[place] = Some(Err(Error::IdempotencyKeyReused));
            } else if let Some(id) = self.find_in(&stored, wish) {
                self.stored.push((place, id));
            } else {
                self.open.push(place);
            }
        }
        self.open.len() < before
    }

    /// Drops the sales whose pools, as far as they were asked about, have another generation, or are
    /// gone. True if there was one.
    fn forget_outdated(&mut self, asked: &BTreeMap<PoolId, i64>, outcome: &Outcome) -> bool {
        let seen = outcome.pools.iter();
        let seen: HashMap<PoolId, i64> = seen.map(|s| (s.pool_id, s.generation)).collect();
        let mut changed = asked.clone();
        changed.retain(|id, generation| seen.get(id) != Some(generation));
        if changed.is_empty() {
            return false;
        }
        let open = self.open_wishes();
        let outdated = open.iter().filter(|wish| {
            let of_wish = pools(&self.memory.sales, &[*wish]);
            of_wish.keys().any(|id| changed.contains_key(id))
        });
        let outdated: HashSet<EventId> = outdated.map(|wish| wish.event_id).collect();
        for id in &outdated {
            self.memory.sales.remove(id);
        }
        !outdated.is_empty()
    }

    fn hold(&self, wish: &Wish, grant: Grant, outcome: &Outcome) -> Hold {
        Hold {
            id: self.days.today.hold_id(wish.key_id),
            event_id: wish.event_id,
            state: HoldState::Active,
            expires_at: outcome.expires_at,
            order_id: None,
            pay_by: None,
            paying_until: None,
            provider_kind: None,
            body_hash: wish.body_hash.to_vec(),
            secret_key_id: self.lane.terms.secret_key_id.clone(),
            secret_generation: FIRST_GENERATION,
            total: grant.total,
            lines: grant.lines,
            now: outcome.now,
        }
    }

    /// Answers the wishes whose hold is stored from its row.
    async fn find_stored(&mut self) -> Result<(), Error> {
        if self.stored.is_empty() {
            return Ok(());
        }
        let ids: Vec<HoldId> = self.stored.iter().map(|(_, id)| *id).collect();
        let found = self.lane.session.read(ids, |conn, ids| {
            Box::pin(async move { holds::find_all(conn, ids).await })
        });
        let found: HashMap<HoldId, Hold> = found
            .await?
            .into_iter()
            .map(|hold| (hold.id, hold))
            .collect();
        for (place, id) in self.stored.drain(..) {
            let wish = self.wishes[place];
            let answer = match found.get(&id) {
                Some(hold) if hold.body_hash == wish.body_hash => Ok(hold.clone()),
                Some(_) => Err(Error::IdempotencyKeyReused),
                None => Err(Error::Fault("a hold is there and is not")),
            };
            self.answers[place] = Some(answer);
        }
        Ok(())
    }
}

pub const NO_ANSWER: Error = Error::Fault("a wish was left without an answer");
