//! Counts the work under way, so that a shutdown can wait for it and a test can assert that none is left.

use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(crate) struct Tracker(watch::Sender<usize>);

impl Tracker {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Counts one piece of work until the ticket is dropped, also by a panic.
    pub(crate) fn enter(&self) -> Ticket {
        self.0.send_modify(|count| *count += 1);
        Ticket(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        *self.0.borrow()
    }

    pub(crate) async fn idle(&self) {
        // An error would mean that the sender is gone, and it is ours.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

#[derive(Debug)]
pub(crate) struct Ticket(Tracker);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}
