//! Threads that give way to all others; the README says what they promise.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use tokio::sync::oneshot;

/// A tenth of what a thread without gets.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
/// How long work may wait for a core that nobody wants.
const SPARE_TIMEOUT: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// Clones share the threads.
#[derive(Clone, Debug)]
pub struct Gentle {
    jobs: mpsc::Sender<Job>,
}

/// Threads that run where nobody else wants to, and some for when somebody always does. Clones share them.
#[derive(Clone, Debug)]
pub struct Spare {
    spare: Gentle,
    sure: Gentle,
}

impl Gentle {
    /// Threads of their own: the priority of a thread of the runtime could not be raised again.
    #[must_use]
    pub fn start(name: &str, threads: usize) -> Self {
        Self::with(name, threads, give_way)
    }

    fn with(name: &str, threads: usize, give_way: fn()) -> Self {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads {
            let waiting = waiting.clone();
            let thread = std::thread::Builder::new().name(format!("{name}-{number}"));
            let started = thread.spawn(move || {
                give_way();
                while let Some(job) = next(&waiting) {
                    let _ = std::panic::catch_unwind(AssertUnwindSafe(job));
                }
            });
            if let Err(error) = started {
                tracing::error!(%error, "a thread could not be started: {name}");
            }
        }
        Self { jobs }
    }

    /// None after a panic, and where no thread could be started.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        // Whoever left misses only their own answer.
        let job = move || drop(answer.send(work()));
        self.jobs.send(Box::new(job)).ok()?;
        answered.await.ok()
    }

    /// What nobody waits for any more when its turn comes is left undone.
    async fn unless_done<T: Send + 'static>(
        &self,
        work: Arc<impl Fn() -> T + Send + Sync + 'static>,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            if !answer.is_closed() {
                drop(answer.send(work()));
            }
        };
        self.jobs.send(Box::new(job)).ok()?;
        answered.await.ok()
    }
}

impl Spare {
    /// So many threads of each kind.
    #[must_use]
    pub fn start(name: &str, threads: usize) -> Self {
        Self {
            spare: Gentle::with(name, threads, take_what_is_left),
            sure: Gentle::start(&format!("{name}-sure"), threads),
        }
    }

    /// Does the work where a core is free. If that takes more than a second it is done once more by a thread that has
    /// its share of a busy machine, and the first result counts. None after a panic.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Fn() -> T + Send + Sync + 'static,
    ) -> Option<T> {
        let work = Arc::new(work);
        let first = self.spare.unless_done(work.clone());
        tokio::pin!(first);
        if let Ok(done) = tokio::time::timeout(SPARE_TIMEOUT, &mut first).await {
            return done;
        }
        tokio::select! {
            done = &mut first => done,
            done = self.sure.unless_done(work) => done,
        }
    }
}

fn next(waiting: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.recv().ok()
}

/// On Linux a priority is a thread's.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "long work is done at the priority of sales");
    }
}

/// Not a niceness: a core that runs nothing else counts as free, so whoever wakes up is put there and runs at once.
fn take_what_is_left() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy::Idle, ThreadPriority, ThreadSchedulePolicy,
            set_thread_priority_and_policy, thread_native_id,
        };
        let policy = ThreadSchedulePolicy::Normal(Idle);
        let thread = thread_native_id();
        if let Err(error) = set_thread_priority_and_policy(thread, ThreadPriority::Min, policy) {
            tracing::warn!(%error, "long work takes more than what is left");
            give_way();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_end_of_its_work_only() {
        let gentle = Gentle::start("test", 1);
        let broken: Option<()> = gentle.run(|| panic!("on purpose")).await;
        assert_eq!(broken, None);
        assert_eq!(gentle.run(|| 7).await, Some(7));
    }

    #[tokio::test]
    async fn who_leaves_stops_nothing() {
        let gentle = Gentle::start("test", 1);
        let done = Arc::new(AtomicBool::new(false));
        let (begin, begun) = mpsc::channel::<()>();
        let told = done.clone();
        let leaving = gentle.run(move || {
            let _ = begun.recv();
            told.store(true, Ordering::SeqCst);
        });
        tokio::select! {
            biased;
            _ = leaving => unreachable!("it waits for us"),
            () = std::future::ready(()) => {}
        }
        begin.send(()).unwrap();
        assert_eq!(gentle.run(|| ()).await, Some(()));
        assert!(done.load(Ordering::SeqCst));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn its_threads_give_way() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = niceness();
        assert_eq!(
            Gentle::start("test", 1).run(niceness).await,
            Some(before + NICENESS)
        );
        assert_eq!(niceness(), before);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_is_left_is_taken_where_nobody_wants_it() {
        use thread_priority::{
            NormalThreadSchedulePolicy::{Idle, Other},
            ThreadSchedulePolicy, thread_schedule_policy,
        };
        let policy = || thread_schedule_policy().unwrap();
        let spare = Spare::start("test", 1);
        assert_eq!(
            spare.run(policy).await,
            Some(ThreadSchedulePolicy::Normal(Idle))
        );
        assert_eq!(policy(), ThreadSchedulePolicy::Normal(Other));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_finds_no_free_core_is_done_by_a_thread_that_has_its_share() {
        let spare = Spare::start("test", 1);
        let (release, held) = mpsc::channel::<()>();
        // As if the machine left nothing over.
        let starving = spare.spare.run(move || held.recv());
        let times = Arc::new(AtomicUsize::new(0));
        let counted = times.clone();
        let work = spare.run(move || counted.fetch_add(1, Ordering::SeqCst));
        tokio::pin!(starving);
        let done = tokio::select! {
            biased;
            _ = &mut starving => unreachable!("it is held"),
            done = work => done,
        };
        assert_eq!(done, Some(0));
        release.send(()).unwrap();
        assert!(starving.await.is_some());
        // The spare thread meets the same work once more, and nobody waits for it.
        assert_eq!(spare.spare.run(|| ()).await, Some(()));
        assert_eq!(times.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_panic_in_spare_time_is_heard() {
        let broken: Option<()> = Spare::start("test", 1).run(|| panic!("on purpose")).await;
        assert_eq!(broken, None);
    }
}
