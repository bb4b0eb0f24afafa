//! How many mails may be on their way now. Four things decide: the lines to the mail server, the pace
//! that was set, whether the server answers at all, and which domains keep it waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base::Sources;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// After a failure of the server itself; each further one doubles it.
const REST_MIN: Duration = Duration::from_secs(5);
const REST_MAX: Duration = Duration::from_secs(60);
/// For so long after some were taken, room for a few more is not worth a statement.
const GATHER: Duration = Duration::from_millis(50);
/// A mail that takes longer is a slow one, and so is its domain until one is quick again.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(5);
/// Mails in hand for each place: they are made ready while others are on their way.
const WAITING_PER_PLACE: usize = 4;
/// Only while mails leave so quickly: else what comes later and is urgent would stand behind them.
const QUICK: Duration = Duration::from_millis(250);
/// A domain that had no mail since may be quick again.
const SLOW_FOR: Duration = Duration::from_secs(60);
/// More are not told apart from the others.
const SLOW_DOMAINS_MAX: usize = 1_000;
/// The pace is kept within such a time.
const PACE_WINDOW_SECS: f64 = 0.25;

/// The right to have a mail on its way.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// None where all are taken.
    fn of(places: &Arc<Semaphore>) -> Option<Self> {
        let permit = places.clone().try_acquire_owned().ok()?;
        Some(Self { _permit: permit })
    }
}

/// The right to have a mail in hand that waits for its place.
pub(super) struct Waiting {
    _permit: OwnedSemaphorePermit,
}

pub(super) struct Room {
    waiting: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// For mails that keep their line waiting, beside the others: whatever one domain does, the
    /// places of the others become free.
    slow_places: Arc<Semaphore>,
    count: usize,
    pace: Option<f64>,
    sources: Sources,
    state: Mutex<State>,
}

struct State {
    /// When rows were taken last.
    taken_at: Option<Instant>,
    /// Mails that the pace allows now.
    tokens: f64,
    filled_at: Instant,
    rest: Option<Rest>,
    /// How long the last mail took that was not a slow one.
    last_took: Duration,
    /// And since when: the last slow mail of the domain.
    slow: HashMap<String, Instant>,
    /// The slow domains had a mail of the pace last time.
    slow_had: bool,
}

impl State {
    fn fill(&mut self, pace: f64) {
        let now = Instant::now();
        let came = now.duration_since(self.filled_at).as_secs_f64() * pace;
        self.tokens = (self.tokens + came).min((pace * PACE_WINDOW_SECS).max(1.0));
        self.filled_at = now;
    }

    fn forget_slow(&mut self) {
        self.slow.retain(|_, since| since.elapsed() < SLOW_FOR);
    }
}

/// The server does not answer; after `until` one mail tries it.
struct Rest {
    until: Instant,
    length: Duration,
}

/// How many rows may be taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Free {
    pub rows: usize,
    /// Of slow domains, beside them.
    pub slow_rows: usize,
    /// Rows would have been more, had none been kept for slow domains.
    pub held_back: bool,
}

impl Room {
    pub fn new(count: u16, per_second: Option<u32>, sources: Sources) -> Self {
        let count = usize::from(count);
        Self {
            waiting: Arc::new(Semaphore::new(count * WAITING_PER_PLACE)),
            places: Arc::new(Semaphore::new(count)),
            slow_places: Arc::new(Semaphore::new(slow_count(count))),
            count,
            pace: per_second.map(f64::from),
            sources,
            state: Mutex::new(State {
                taken_at: None,
                tokens: 1.0,
                filled_at: Instant::now(),
                rest: None,
                last_took: Duration::ZERO,
                slow: HashMap::new(),
                slow_had: false,
            }),
        }
    }

    /// A few rows are taken at once, because taking them costs the database the same.
    pub fn free(&self) -> Free {
        let mut state = self.state();
        let (mut rows, mut slow_rows) = (
            self.waiting.available_permits(),
            self.slow_places.available_permits(),
        );
        let nothing_is_in_hand = rows == self.count * WAITING_PER_PLACE
            && self.places.available_permits() == self.count
            && slow_rows == slow_count(self.count);
        if let Some(rest) = &state.rest {
            // One mail at a time tries whether the server is back, and a slow one would not tell.
            let tries = rest.until <= Instant::now() && nothing_is_in_hand;
            return self.paced(
                &mut state,
                Free {
                    rows: usize::from(tries),
                    ..Free::default()
                },
            );
        }
        state.forget_slow();
        let is_slow = !state.slow.is_empty();
        if state.last_took > QUICK {
            let waiting = self.count * WAITING_PER_PLACE - rows;
            rows = self.places.available_permits().saturating_sub(waiting);
        }
        // Those that are slow may keep the rest for long.
        let just_taken = state.taken_at.is_some_and(|at| at.elapsed() < GATHER);
        if just_taken && rows < (self.count * WAITING_PER_PLACE).div_ceil(2) && !is_slow {
            rows = 0;
        }
        // Whoever became slow on the way comes first: its place is wanted by the others.
        if !is_slow || slow_rows < slow_count(self.count) {
            slow_rows = 0;
        }
        let free = Free {
            rows,
            slow_rows,
            held_back: false,
        };
        self.paced(&mut state, free)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to a few hundred"
    )]
    fn paced(&self, state: &mut State, mut free: Free) -> Free {
        if let Some(pace) = self.pace {
            state.fill(pace);
            let allowed = state.tokens as usize;
            let mut others = allowed;
            if allowed > 0 && free.slow_rows > 0 {
                // The others alone could use up the pace, and no slow domain would be tried again.
                state.slow_had = !state.slow_had;
                others -= usize::from(state.slow_had);
            }
            free.held_back = free.rows.min(allowed) > others;
            free.rows = free.rows.min(others);
            free.slow_rows = free.slow_rows.min(allowed - free.rows);
        }
        free
    }

    /// So many were taken.
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    pub fn spend(&self, rows: usize) {
        if rows == 0 {
            return;
        }
        let mut state = self.state();
        state.taken_at = Some(Instant::now());
        if self.pace.is_some() {
            state.tokens -= rows as f64;
        }
    }

    /// How long until the pace allows another mail; none where there is no pace to keep.
    pub fn until_paced(&self) -> Option<Duration> {
        let pace = self.pace?;
        let mut state = self.state();
        state.fill(pace);
        let missing = 1.0 - state.tokens;
        (missing > 0.0).then(|| Duration::from_secs_f64(missing / pace))
    }

    /// None where as many as may be are in hand.
    pub fn wait(&self) -> Option<Waiting> {
        let permit = self.waiting.clone().try_acquire_owned().ok()?;
        Some(Waiting { _permit: permit })
    }

    /// The place of a mail in hand, when it is its turn. An error says for how long it is better put back:
    /// the server failed meanwhile, or a mail of its domain became slow and there is no slow place.
    pub async fn place(&self, domain: &str) -> Result<Place, Duration> {
        // An error would mean a closed semaphore, and nobody closes it.
        let permit = self.places.clone().acquire_owned().await;
        let place = permit.map(|permit| Place { _permit: permit });
        let place = place.map_err(|_| REST_MIN)?;
        let state = self.state();
        let now = Instant::now();
        match &state.rest {
            Some(rest) if rest.until > now => return Err(rest.until - now),
            Some(_) | None => {}
        }
        if state.slow.contains_key(domain) {
            return self.slow_place().ok_or(SLOW_AFTER);
        }
        Ok(place)
    }

    /// One that nobody waits for.
    pub fn free_place(&self) -> Option<Place> {
        Place::of(&self.places)
    }

    pub fn slow_place(&self) -> Option<Place> {
        Place::of(&self.slow_places)
    }

    /// Of free places that nobody in hand wants, so many may go to slow domains.
    pub fn to_spare(&self) -> usize {
        let waiting = self.count * WAITING_PER_PLACE - self.waiting.available_permits();
        let kept = waiting + self.count.div_ceil(4);
        self.places.available_permits().saturating_sub(kept)
    }

    /// None while the server itself is in trouble: then no domain is to blame.
    pub fn slow_domains(&self) -> Vec<String> {
        let mut state = self.state();
        if state.rest.is_some() {
            return Vec::new();
        }
        state.forget_slow();
        state.slow.keys().cloned().collect()
    }

    /// A mail of the domain took this long.
    pub fn took(&self, domain: &str, long: Duration) {
        let mut state = self.state();
        if long < SLOW_AFTER {
            state.last_took = long;
            state.slow.remove(domain);
        } else if state.slow.len() < SLOW_DOMAINS_MAX || state.slow.contains_key(domain) {
            state.slow.insert(domain.to_owned(), Instant::now());
        }
    }

    /// The server answered, whatever it said of the mail.
    pub fn server_is_there(&self) {
        if self.state().rest.take().is_some() {
            tracing::info!("the mail server is there again");
            metrics::gauge!("mail_server_up").set(1.0);
        }
    }

    /// The server failed, and not because of the mail. How long the mail should wait: those that
    /// were on their way together have failed once.
    pub fn server_failed(&self) -> Duration {
        let mut state = self.state();
        let now = Instant::now();
        let length = match &state.rest {
            Some(rest) if rest.until > now => return rest.until - now,
            Some(rest) => (rest.length * 2).min(REST_MAX),
            None => REST_MIN,
        };
        let wait = length.mul_f64(self.about_one());
        metrics::gauge!("mail_server_up").set(0.0);
        state.slow.clear();
        let until = now + wait;
        state.rest = Some(Rest { until, length });
        wait
    }

    /// 0.8 to 1.2, so that processes that failed together do not come back together.
    fn about_one(&self) -> f64 {
        let [byte] = self.sources.bytes::<1>();
        0.8 + 0.4 * f64::from(byte) / 255.0
    }

    /// Once nothing is in hand any more.
    pub async fn empty(&self) {
        let all = |count| u32::try_from(count).unwrap_or(u32::MAX);
        // An error would mean a closed semaphore, and nobody closes it.
        let waiting = self
            .waiting
            .acquire_many(all(self.count * WAITING_PER_PLACE));
        drop(waiting.await);
        drop(self.places.acquire_many(all(self.count)).await);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slow_count(count: usize) -> usize {
    count.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(count: u16, per_second: Option<u32>) -> Room {
        Room::new(count, per_second, Sources::for_tests(1).0)
    }

    fn free(rows: usize, slow_rows: usize) -> Free {
        Free {
            rows,
            slow_rows,
            held_back: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_taken_many_at_once() {
        let room = room(2, None);
        let mut waiting: Vec<_> = (0..8).map(|_| room.wait().unwrap()).collect();
        room.spend(8);
        assert!(room.wait().is_none());
        waiting.truncate(5);
        let why = "three are not worth a statement";
        assert_eq!(room.free(), free(0, 0), "{why}");
        waiting.pop();
        assert_eq!(room.free(), free(4, 0));
        assert_eq!(super::tests::room(1, None).free(), free(4, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_in_hand_than_places_while_the_server_takes_its_time() {
        let room = room(2, None);
        room.took("example.org", QUICK * 2);
        assert_eq!(room.free(), free(2, 0));
        let _waiting = room.wait().unwrap();
        assert_eq!(room.free(), free(1, 0));
        let _place = room.free_place().unwrap();
        assert_eq!(room.free(), free(0, 0));
        room.took("example.org", QUICK);
        assert_eq!(room.free(), free(7, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn room_for_one_more_is_given_after_a_moment() {
        let room = room(2, None);
        let _waiting: Vec<_> = (0..7).map(|_| room.wait().unwrap()).collect();
        assert_eq!(room.free(), free(1, 0));
        room.spend(1);
        assert_eq!(room.free(), free(0, 0));
        tokio::time::advance(GATHER).await;
        assert_eq!(room.free(), free(1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_while_the_server_fails_does_not_try_it() {
        let room = room(1, None);
        let place = room.place("example.org").await.ok().unwrap();
        let (next, rest) = tokio::join!(room.place("example.org"), async {
            let rest = room.server_failed();
            drop(place);
            rest
        });
        assert_eq!(next.err(), Some(rest));
        tokio::time::advance(rest).await;
        assert!(room.place("example.org").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_while_its_domain_becomes_slow_takes_no_place_of_the_others() {
        let room = room(2, None);
        room.took("slow.example", SLOW_AFTER);
        let slow = room.place("slow.example").await.ok().unwrap();
        assert!(room.slow_place().is_none(), "its place is the slow one");
        assert_eq!(room.place("slow.example").await.err(), Some(SLOW_AFTER));
        drop(slow);
        assert!(room.place("slow.example").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_domain_leaves_the_places_of_the_others() {
        let room = room(8, None);
        room.took("slow.example", SLOW_AFTER);
        assert_eq!(room.slow_domains(), ["slow.example"]);
        assert_eq!(room.free(), free(32, 4));
        let one = room.slow_place().unwrap();
        assert_eq!(room.free(), free(32, 0), "no more while one is on its way");
        let waiting: Vec<_> = (0..31).map(|_| room.wait().unwrap()).collect();
        assert_eq!(room.free(), free(1, 0), "the last one is not kept back");
        assert_eq!(room.to_spare(), 0, "all places are wanted");
        drop((one, waiting));
        assert_eq!(room.to_spare(), 6);
        let slow: Vec<_> = (0..4).map(|_| room.slow_place().unwrap()).collect();
        assert!(room.slow_place().is_none());
        assert_eq!(room.free(), free(32, 0));
        drop(slow);
        room.took("slow.example", QUICK);
        assert_eq!(room.free(), free(32, 0));
        assert!(room.slow_domains().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_domain_is_not_slow_for_ever() {
        let room = room(8, None);
        room.took("slow.example", SLOW_AFTER);
        tokio::time::advance(SLOW_FOR / 2).await;
        room.took("slow.example", SLOW_AFTER);
        tokio::time::advance(SLOW_FOR / 2).await;
        assert_eq!(room.slow_domains(), ["slow.example"], "it was slow again");
        tokio::time::advance(SLOW_FOR / 2).await;
        assert!(room.slow_domains().is_empty());
        assert_eq!(room.free(), free(32, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn every_other_round_the_pace_has_a_mail_for_slow_domains() {
        let kept = |rows, slow_rows| Free {
            held_back: true,
            ..free(rows, slow_rows)
        };
        for (pace, slow, others) in [(4, kept(0, 1), free(1, 0)), (16, kept(3, 1), free(4, 0))] {
            let room = room(8, Some(pace));
            for _ in 0..3 {
                tokio::time::advance(Duration::from_secs(1)).await;
                room.took("slow.example", SLOW_AFTER);
                assert_eq!(room.free(), slow);
                // Nothing of theirs was due: the others come at once.
                assert_eq!(room.free(), others);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_mail_tries_a_server_that_failed_and_the_rests_grow() {
        let room = room(8, None);
        room.took("slow.example", SLOW_AFTER);
        let first = room.server_failed();
        assert!((4.0..=6.0).contains(&first.as_secs_f64()), "{first:?}");
        assert_eq!(
            room.server_failed(),
            first,
            "one failure, whoever was there"
        );
        assert_eq!(room.free(), free(0, 0));
        let mut rest = first;
        for _ in 0..6 {
            tokio::time::advance(rest).await;
            assert_eq!(room.free(), free(1, 0));
            room.took("slow.example", SLOW_AFTER);
            assert!(room.slow_domains().is_empty(), "it may be anybody's");
            let place = room.free_place();
            assert_eq!(room.free(), free(0, 0), "one at a time");
            drop(place);
            rest = room.server_failed();
        }
        assert!((48.0..=72.0).contains(&rest.as_secs_f64()), "{rest:?}");
        room.server_is_there();
        assert_eq!(room.free(), free(32, 0));
        assert!(room.server_failed() < Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_is_kept() {
        let room = room(8, Some(4));
        let mut sent = 0;
        for _ in 0..100 {
            let rows = room.free().rows;
            room.spend(rows);
            sent += rows;
            match room.until_paced() {
                Some(wait) => tokio::time::advance(wait).await,
                None => tokio::time::advance(Duration::from_millis(1)).await,
            }
        }
        let lasted = 99.0 / 4.0;
        assert!((95..=101).contains(&sent), "{sent} in about {lasted} s");
        assert_eq!(super::tests::room(8, None).until_paced(), None);
    }
}
