//! A mail that was handed over is in doubt until the mail server's answer is noted: a process that is killed before
//! sends it again. So that a kill costs one such mail and not one per line, they are handed over one after the other,
//! as long as that goes quickly.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// How long a mail server's answer is waited for by the others: one that is far away would set the pace of
/// all. Once it has answered they wait until that is noted.
const PATIENCE: Duration = Duration::from_millis(24);

#[derive(Debug, Default)]
pub(super) struct Doubt {
    turn: Mutex<Turn>,
    over: Notify,
}

#[derive(Debug, Default)]
struct Turn {
    number: u64,
    /// Whom the others wait for.
    mail: Option<Mail>,
    /// Mails whose outcome the database did not store when it was asked to.
    unwritten: usize,
}

#[derive(Clone, Copy, Debug)]
enum Mail {
    HandedOver(Instant),
    Answered,
}

/// The mail is in doubt as long as this value lives.
#[derive(Debug)]
pub(super) struct InDoubt {
    doubt: Arc<Doubt>,
    number: u64,
}

/// The database did not store an outcome: nobody hands a mail over while this value lives.
#[derive(Debug)]
pub(super) struct Unwritten(Arc<Doubt>);

impl Doubt {
    pub async fn enter(self: &Arc<Self>) -> InDoubt {
        loop {
            let wait = match self.try_enter() {
                Ok(entered) => return entered,
                Err(wait) => wait,
            };
            tokio::select! {
                () = self.over.notified() => {}
                // The end of a turn wakes one of us, and that one may hang: the others look again.
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    pub fn unwritten(self: &Arc<Self>) -> Unwritten {
        self.turn().unwritten += 1;
        Unwritten(self.clone())
    }

    /// Otherwise how long to wait before another try.
    fn try_enter(self: &Arc<Self>) -> Result<InDoubt, Duration> {
        let mut turn = self.turn();
        if turn.unwritten > 0 {
            return Err(PATIENCE);
        }
        match turn.mail {
            Some(Mail::Answered) => return Err(PATIENCE),
            Some(Mail::HandedOver(since)) if since.elapsed() < PATIENCE => {
                return Err(PATIENCE - since.elapsed());
            }
            Some(Mail::HandedOver(_)) | None => {}
        }
        turn.number += 1;
        turn.mail = Some(Mail::HandedOver(Instant::now()));
        Ok(InDoubt {
            doubt: self.clone(),
            number: turn.number,
        })
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InDoubt {
    /// The mail server has answered; that is about to be noted.
    pub fn answered(&self) {
        let mut turn = self.doubt.turn();
        if turn.number == self.number {
            turn.mail = Some(Mail::Answered);
        }
    }
}

impl Drop for InDoubt {
    fn drop(&mut self) {
        let mut turn = self.doubt.turn();
        if turn.number == self.number && turn.mail.take().is_some() {
            self.doubt.over.notify_one();
        }
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.0.turn().unwritten -= 1;
        self.0.over.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_after_the_other_while_it_goes_quickly() {
        let doubt = Arc::new(Doubt::default());
        let first = doubt.enter().await;
        let begun = Instant::now();
        let next = async {
            drop(doubt.enter().await);
            begun.elapsed()
        };
        let leaves = async {
            // Sleeps: on a clock that stands still.
            tokio::time::sleep(PATIENCE / 2).await;
            drop(first);
        };
        let (waited, ()) = tokio::join!(next, leaves);
        assert_eq!(waited, PATIENCE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_long_is_waited_for_no_more() {
        let doubt = Arc::new(Doubt::default());
        let begun = Instant::now();
        let slow = doubt.enter().await;
        let second = doubt.enter().await;
        assert_eq!(begun.elapsed(), PATIENCE);
        drop(slow);
        let third = tokio::time::timeout(PATIENCE / 2, doubt.enter()).await;
        assert!(third.is_err(), "the second one's turn goes on");
        drop(second);
        let third = doubt.enter().await;
        assert_eq!(begun.elapsed(), PATIENCE + PATIENCE / 2);
        third.answered();
        let fourth = tokio::time::timeout(PATIENCE * 10, doubt.enter()).await;
        assert!(fourth.is_err(), "what is being written down is waited for");
        drop(third);
        drop(doubt.enter().await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_that_was_not_stored_keeps_the_others_back() {
        let doubt = Arc::new(Doubt::default());
        let unwritten = [doubt.unwritten(), doubt.unwritten()];
        let [first, second] = unwritten;
        drop(first);
        let waits = tokio::time::timeout(PATIENCE * 10, doubt.enter()).await;
        assert!(waits.is_err());
        drop(second);
        drop(doubt.enter().await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_after_an_answered_one_is_waited_for_no_more() {
        let doubt = Arc::new(Doubt::default());
        let answered = doubt.enter().await;
        answered.answered();
        let waiter = async || (doubt.enter().await, Instant::now());
        let written = async {
            // Sleeps: on a clock that stands still, until both wait.
            tokio::time::sleep(PATIENCE / 2).await;
            drop(answered);
            Instant::now()
        };
        // Whoever enters first stays.
        let all = async { tokio::join!(waiter(), waiter(), written) };
        let ((_first, first_at), (_second, second_at), written_at) =
            tokio::time::timeout(PATIENCE * 10, all).await.unwrap();
        let mut waited = [first_at, second_at].map(|at| at - written_at);
        waited.sort();
        assert_eq!(waited, [Duration::ZERO, PATIENCE]);
    }
}
