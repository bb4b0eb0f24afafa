//! How guests arrive. Closed loop: each comes again as soon as it is answered, which finds the peak. Open loop: they
//! arrive at a constant rate whether or not those before them were answered, which shows what a guest waits.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::stats::{Latencies, rate, whole};

/// Shorter than a timer of the runtime, so that arrivals come in time.
const PACE: Duration = Duration::from_micros(250);

/// What comes again and again over a connection of its own.
pub trait Guest: Send + 'static {
    /// One visit; `number` is another one for each. Answers the moment of the first complete answer.
    fn visit(&mut self, number: u64) -> impl Future<Output = anyhow::Result<Instant>> + Send;

    /// Whether a closed loop may end before its time.
    fn over(&self) -> bool {
        false
    }
}

/// When a closed loop ends.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    pub visits: u64,
    pub after: Duration,
}

impl Until {
    pub fn visits(visits: u64) -> Self {
        Self {
            visits,
            after: Duration::from_secs(3600),
        }
    }

    pub fn after(after: Duration) -> Self {
        Self {
            visits: u64::MAX,
            after,
        }
    }
}

/// What a loop did.
#[derive(Debug)]
pub struct Ran<G> {
    pub guests: Vec<G>,
    pub visits: u64,
    pub began: Instant,
    pub took: Duration,
    pub latencies: Latencies,
}

impl<G> Ran<G> {
    pub fn per_second(&self) -> f64 {
        rate(self.visits, self.took)
    }
}

/// Every guest at once, again and again.
pub async fn closed<G: Guest>(guests: Vec<G>, until: Until) -> anyhow::Result<Ran<G>> {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for mut guest in guests {
        let next = next.clone();
        tasks.spawn(async move {
            let mut took = Latencies::default();
            while began.elapsed() < until.after && !guest.over() {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= until.visits {
                    break;
                }
                let due = Instant::now();
                took.record(guest.visit(number).await? - due);
            }
            anyhow::Ok((guest, took))
        });
    }
    collect(tasks, began).await
}

/// Arrivals at a constant rate; what a guest waits counts from the moment at which they were due.
pub async fn open<G: Guest>(
    guests: Vec<G>,
    per_second: f64,
    lasting: Duration,
) -> anyhow::Result<Ran<G>> {
    let arrivals = whole(per_second * lasting.as_secs_f64());
    let next = Arc::new(AtomicU64::new(0));
    let due = Arc::new(Semaphore::new(0));
    let began = Instant::now();
    let pacer = Pacer::start(due.clone(), began, per_second, (arrivals, guests.len()));
    let mut tasks = JoinSet::new();
    for mut guest in guests {
        let (next, due) = (next.clone(), due.clone());
        tasks.spawn(async move {
            let mut took = Latencies::default();
            loop {
                due.acquire().await?.forget();
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= arrivals {
                    break;
                }
                let due = began + Duration::from_secs_f64(number as f64 / per_second);
                let answered = guest.visit(number).await?;
                took.record(answered.saturating_duration_since(due));
            }
            anyhow::Ok((guest, took))
        });
    }
    let ran = collect(tasks, began).await;
    drop(pacer);
    ran
}

async fn collect<G: Guest>(
    mut tasks: JoinSet<anyhow::Result<(G, Latencies)>>,
    began: Instant,
) -> anyhow::Result<Ran<G>> {
    let (mut guests, mut latencies) = (Vec::new(), Latencies::default());
    while let Some(done) = tasks.join_next().await {
        let (guest, took) = done??;
        latencies.extend(&took);
        guests.push(guest);
    }
    Ok(Ran {
        guests,
        visits: latencies.count(),
        began,
        took: began.elapsed(),
        latencies,
    })
}

/// Lets arrivals through when they are due. A thread of its own, because the runtime's timers know whole milliseconds
/// only. Dropped, it ends.
struct Pacer(Arc<AtomicBool>);

impl Pacer {
    /// At the end each waiting guest is let through once more, to see that it is over.
    fn start(
        due: Arc<Semaphore>,
        began: Instant,
        per_second: f64,
        (arrivals, guests): (u64, usize),
    ) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = over.clone();
        thread::spawn(move || {
            let mut through = 0_u64;
            while through < arrivals && !seen.load(Ordering::Relaxed) {
                // The first one is due at once.
                let now = (began.elapsed().as_secs_f64() * per_second).floor() + 1.0;
                let now = whole(now).min(arrivals);
                if now > through {
                    due.add_permits(usize::try_from(now - through).unwrap_or(0));
                    through = now;
                }
                thread::sleep(PACE);
            }
            due.add_permits(guests);
        });
        Self(over)
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers after a time.
    struct Slow(Duration);

    impl Guest for Slow {
        async fn visit(&mut self, _: u64) -> anyhow::Result<Instant> {
            // Sleeps: it is a slow answer.
            tokio::time::sleep(self.0).await;
            Ok(Instant::now())
        }
    }

    fn guests(count: usize, ms: u64) -> Vec<Slow> {
        (0..count)
            .map(|_| Slow(Duration::from_millis(ms)))
            .collect()
    }

    #[tokio::test]
    async fn a_closed_loop_makes_so_many_visits() {
        let ran = closed(guests(4, 1), Until::visits(10)).await.unwrap();
        assert_eq!((ran.visits, ran.guests.len()), (10, 4));
    }

    #[tokio::test]
    async fn who_is_due_is_let_through_at_once() {
        // One arrival of a second: due at its beginning, not at its end.
        let lasting = Duration::from_secs(1);
        let mut ran = open(guests(1, 1), 1.0, lasting).await.unwrap();
        assert_eq!(ran.visits, 1);
        assert!(ran.latencies.p99_ms() < 900.0, "{}", ran.latencies.p99_ms());
    }

    #[tokio::test]
    async fn waiting_for_a_slow_one_counts() {
        // One guest at a time, ten milliseconds each, and they arrive five times as fast: the queue grows, and with it
        // what those at its end waited.
        let lasting = Duration::from_millis(200);
        let mut ran = open(guests(1, 10), 500.0, lasting).await.unwrap();
        assert_eq!(ran.visits, 100);
        assert!(ran.latencies.p99_ms() > 500.0, "{}", ran.latencies.p99_ms());
    }
}
