//! Threads that give way to all others; the README says what they promise.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use tokio::sync::oneshot;

/// A tenth of what a thread without gets.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// Clones share the threads.
#[derive(Clone, Debug)]
pub struct Gentle {
    jobs: mpsc::Sender<Job>,
}

impl Gentle {
    /// Threads of their own: the priority of a thread of the runtime could not be raised again.
    #[must_use]
    pub fn start(name: &str, threads: usize) -> Self {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

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
}
