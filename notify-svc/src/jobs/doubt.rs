//! A mail that was handed over and is not yet written down is in doubt: a process that is killed now sends it again.
//! So that a kill costs one such mail and not one per line, they are handed over one after the other, as long as
//! that goes quickly.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// How long a mail server's answer is waited for by the others: one that is far away would set the pace of
/// all. Once it has answered they wait until that is written down.
const PATIENCE: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(super) struct Doubt {
    turn: Mutex<Turn>,
    over: Notify,
}

#[derive(Default)]
struct Turn {
    number: u64,
    /// Whom the others wait for.
    mail: Option<Mail>,
}

#[derive(Clone, Copy)]
enum Mail {
    HandedOver(Instant),
    Answered,
}

/// The mail is in doubt as long as this value lives.
pub(super) struct InDoubt<'a> {
    doubt: &'a Doubt,
    number: u64,
}

impl Doubt {
    pub async fn enter(&self) -> InDoubt<'_> {
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

    /// Otherwise how long to wait before another try.
    fn try_enter(&self) -> Result<InDoubt<'_>, Duration> {
        let mut turn = self.turn();
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
            doubt: self,
            number: turn.number,
        })
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InDoubt<'_> {
    /// The mail server has answered; the outcome is being written down.
    pub fn answered(&self) {
        let mut turn = self.doubt.turn();
        if turn.number == self.number {
            turn.mail = Some(Mail::Answered);
        }
    }
}

impl Drop for InDoubt<'_> {
    fn drop(&mut self) {
        let mut turn = self.doubt.turn();
        if turn.number == self.number {
            turn.mail = None;
            self.doubt.over.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_after_the_other_while_it_goes_quickly() {
        let doubt = Doubt::default();
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
        let doubt = Doubt::default();
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
    async fn who_hangs_after_an_answered_one_is_waited_for_no_more() {
        let doubt = Doubt::default();
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
