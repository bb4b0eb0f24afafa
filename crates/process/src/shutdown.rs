use std::{process::exit, thread, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::config::EXIT_FAILURE;

/// From the beginning of the shutdown. What has not ended by then never will.
const HARD_EXIT_AFTER: Duration = Duration::from_secs(30);

/// What a shell reports for a process that Ctrl-C ended.
const EXIT_INTERRUPTED: i32 = 130;

/// Says that the process is going down; every server and job watches one.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the shutdown on SIGINT (Ctrl-C) or SIGTERM. A second one ends the process at once,
    /// and 30 seconds end it in any case.
    pub fn on_signals() -> std::io::Result<Self> {
        Self::on_signals_within(HARD_EXIT_AFTER)
    }

    /// As `on_signals`, with another time for the hard exit.
    #[expect(
        clippy::disallowed_methods,
        reason = "waits for a signal, and is what the tasks wait for"
    )]
    pub fn on_signals_within(hard_exit_after: Duration) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let shutdown = Self::new();
        let begin = shutdown.clone();
        tokio::spawn(async move {
            let mut signal = async || {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            };
            signal().await;
            begin.begin();
            // A thread of its own: what hangs may be the runtime.
            thread::spawn(move || {
                thread::sleep(hard_exit_after);
                tracing::error!("the shutdown took too long");
                exit(EXIT_FAILURE);
            });
            signal().await;
            exit(EXIT_INTERRUPTED);
        });
        Ok(shutdown)
    }

    pub fn begin(&self) {
        self.0.cancel();
    }

    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// The same for code that knows nothing of this crate.
    pub fn token(&self) -> CancellationToken {
        self.0.clone()
    }

    /// Resolves once the shutdown has begun.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }
}
