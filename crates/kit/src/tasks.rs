use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{Failure, Shutdown, context};

/// The tasks of one service. Each is known, so that a shutdown can wait for it and a test can see
/// that none is left.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: Shutdown,
}

impl Tasks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins when the service's own work is to end: after its server has drained.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Work that goes on when its caller leaves, within the caller's deadline and trace.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let context = context::current();
        self.tracker
            .spawn(context::with_context(context, work.in_current_span()))
    }

    /// Runs work to its end even if the client hangs up; a mutating handler of several steps
    /// awaits this.
    pub async fn complete<F, T, E>(&self, work: F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Failure> + Send + 'static,
    {
        match self.spawn(work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::panicked().into()),
        }
    }

    /// Repeats `round` until the shutdown: when nudged, and `every` at the latest. A round that
    /// answers true has more to do and is repeated at once.
    pub fn job<F, R>(&self, name: &'static str, every: Duration, nudge: Arc<Notify>, mut round: F)
    where
        F: FnMut() -> R + Send + 'static,
        R: Future<Output = anyhow::Result<bool>> + Send + 'static,
    {
        let shutdown = self.shutdown.clone();
        self.tracker.spawn(async move {
            while !shutdown.has_begun() {
                match round().await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(job = name, error = format!("{error:#}"), "job failed")
                    }
                }
                tokio::select! {
                    () = shutdown.begun() => {}
                    () = nudge.notified() => {}
                    () = tokio::time::sleep(every) => {}
                }
            }
        });
    }

    /// Does this when the shutdown begins: whoever holds something open closes it.
    pub fn at_the_end<F>(&self, closing: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shutdown = self.shutdown.clone();
        self.tracker.spawn(async move {
            shutdown.begun().await;
            closing.await;
        });
    }

    /// How many tasks run now.
    pub fn in_flight(&self) -> usize {
        self.tracker.len()
    }

    /// Tells the jobs to end and waits for every task.
    pub async fn finish(&self) {
        self.shutdown.begin();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
