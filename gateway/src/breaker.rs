//! A service that does not answer is left alone for a moment. Whoever waited for it would hold a place among the requests
//! in work until the deadline, and it would come back to a heap of calls that nobody waits for any more.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Response;
use kit::{Code, ErrorReason, Failure};
use tokio::time::Instant;
use tonic::{Status, codegen::StdError};

/// The share is that of the calls which ended within this time, or half of it.
const WINDOW: Duration = Duration::from_secs(10);
/// Fewer say nothing.
const CALLS_MIN: u64 = 20;
/// For so long it is left alone; then one call tries it. While that has no answer, another one tries after as long.
const REST: Duration = Duration::from_secs(2);

/// So shortly before its deadline a call was given up because of it.
const LATE: Duration = Duration::from_millis(50);

/// Of one service.
pub struct Breaker {
    member: &'static str,
    /// It opens where so many of a hundred calls fail; 0: never.
    failed_percent: u8,
    state: Mutex<(State, u64)>,
}

enum State {
    Closed(Window),
    /// Whoever comes after `until` tries.
    Open {
        until: Instant,
    },
}

/// Two halves, so that what is old is forgotten without a list of calls.
struct Window {
    half_since: Instant,
    now: Count,
    before: Count,
}

#[derive(Clone, Copy, Default)]
struct Count {
    calls: u64,
    failed: u64,
}

/// A call that may be made.
pub struct Attempt {
    breaker: Arc<Breaker>,
    /// How often it had opened before; what began before it opened says nothing of now.
    opened: u64,
    /// It decides whether the others may go on.
    is_trial: bool,
    /// Of its request.
    deadline: Option<Instant>,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Answered,
    Failed,
    /// It was dropped. Some callers wait less than the time that a call has.
    Unknown,
}

impl Breaker {
    pub fn new(member: &'static str, failed_percent: u8) -> Arc<Self> {
        metrics::gauge!("upstream_breaker_open", "member" => member).set(0);
        Arc::new(Self {
            member,
            failed_percent,
            state: Mutex::new((State::Closed(Window::new()), 0)),
        })
    }

    /// Whether a call may be made now; if not, nothing has left.
    pub fn admit(self: &Arc<Self>) -> Result<Attempt, Failure> {
        let mut guard = self.state();
        let (state, opened) = &mut *guard;
        let is_trial = match state {
            State::Closed(_) => false,
            State::Open { until } if *until <= Instant::now() => true,
            State::Open { .. } => {
                metrics::counter!("upstream_calls_refused_total", "member" => self.member)
                    .increment(1);
                return Err(Failure::unavailable(
                    "This part is away for a moment. Try again.",
                    REST,
                ));
            }
        };
        if is_trial {
            let until = Instant::now() + REST;
            *state = State::Open { until };
        }
        Ok(Attempt {
            breaker: self.clone(),
            opened: *opened,
            is_trial,
            deadline: kit::current().deadline.map(Instant::from_std),
            outcome: Outcome::Unknown,
        })
    }

    fn note(&self, attempt: &Attempt) {
        let mut guard = self.state();
        let (state, opened) = &mut *guard;
        if attempt.opened != *opened {
            return;
        }
        let failed = attempt.outcome == Outcome::Failed;
        match state {
            State::Closed(window) => {
                if !window.note(failed, self.failed_percent) {
                    return;
                }
                let member = self.member;
                tracing::warn!(member, "it does not answer, and is left alone for a while");
                metrics::gauge!("upstream_breaker_open", "member" => member).set(1);
                let until = Instant::now() + REST;
                *state = State::Open { until };
                *opened += 1;
            }
            State::Open { .. } if attempt.is_trial && !failed => {
                tracing::info!(member = self.member, "it answers again");
                metrics::gauge!("upstream_breaker_open", "member" => self.member).set(0);
                *state = State::Closed(Window::new());
            }
            // The next one tries.
            State::Open { .. } => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, (State, u64)> {
        // Every value of it is a valid one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn new() -> Self {
        Self {
            half_since: Instant::now(),
            now: Count::default(),
            before: Count::default(),
        }
    }

    /// Says whether too many failed.
    fn note(&mut self, failed: bool, failed_percent: u8) -> bool {
        let (half, age) = (WINDOW / 2, self.half_since.elapsed());
        if age >= half {
            let before = std::mem::take(&mut self.now);
            self.before = if age < WINDOW {
                before
            } else {
                Count::default()
            };
            self.half_since = Instant::now();
        }
        self.now.calls += 1;
        self.now.failed += u64::from(failed);
        let calls = self.now.calls + self.before.calls;
        let failures = self.now.failed + self.before.failed;
        let too_many = failures * 100 >= calls * u64::from(failed_percent);
        failed_percent > 0 && failed && calls >= CALLS_MIN && too_many
    }
}

impl Attempt {
    pub fn ended<B>(mut self, answer: &Result<Response<B>, StdError>) {
        let failed = match answer {
            Err(_) => true,
            Ok(answer) => Status::from_header_map(answer.headers()).is_some_and(|status| {
                // A refusal is an answer, and overload says how it wants to be treated.
                match status.code() {
                    Code::DeadlineExceeded | Code::Cancelled => true,
                    Code::Unavailable => {
                        Failure::from_status(&status).reason == ErrorReason::OutcomeUnknown
                    }
                    _ => false,
                }
            }),
        };
        self.outcome = if failed {
            Outcome::Failed
        } else {
            Outcome::Answered
        };
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.outcome == Outcome::Unknown {
            // Else nobody waited for it to the end, which is the caller's matter.
            let is_late = |deadline| Instant::now() + LATE >= deadline;
            if !self.deadline.is_some_and(is_late) {
                return;
            }
            self.outcome = Outcome::Failed;
        }
        self.breaker.note(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Arc<Breaker> {
        Breaker::new("ticket-svc", 50)
    }

    fn call(breaker: &Arc<Breaker>, answer: Result<Failure, ()>) -> bool {
        let Ok(attempt) = breaker.admit() else {
            return false;
        };
        attempt.ended(&match answer {
            Ok(failure) => Ok(failure.into_status().into_http::<String>()),
            Err(()) => Err("the connection broke".into()),
        });
        true
    }

    fn answered(breaker: &Arc<Breaker>) -> bool {
        call(breaker, Ok(Failure::not_found("hold")))
    }

    fn broke(breaker: &Arc<Breaker>) -> bool {
        call(breaker, Err(()))
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_the_calls_fail_and_it_is_left_alone_until_one_is_answered() {
        let breaker = breaker();
        for _ in 0..10 {
            assert!(answered(&breaker) && broke(&breaker));
        }
        // The twentieth call was the tenth of those that got no answer.
        let refusal = breaker.admit().err().expect("it is open");
        assert_eq!(refusal.certainty, kit::Certainty::NotDone);
        assert_eq!(refusal.retry_after, Some(REST));
        tokio::time::advance(REST).await;
        let trial = breaker.admit().expect("one may try");
        assert!(breaker.admit().is_err(), "and nobody else");
        tokio::time::advance(REST).await;
        assert!(broke(&breaker), "while that has no answer, another one");
        drop(trial);
        assert!(breaker.admit().is_err(), "neither was answered");
        tokio::time::advance(REST).await;
        assert!(answered(&breaker));
        for _ in 0..CALLS_MIN {
            assert!(answered(&breaker), "all may go on");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fewer_than_half_may_fail() {
        let breaker = breaker();
        for _ in 0..CALLS_MIN {
            assert!(answered(&breaker) && answered(&breaker) && broke(&breaker));
        }
        assert!(answered(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_early_says_nothing() {
        let breaker = breaker();
        for _ in 0..4 * CALLS_MIN {
            drop(breaker.admit().expect("nothing has failed"));
        }
        assert!(answered(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn few_calls_and_old_ones_say_nothing() {
        let breaker = breaker();
        for _ in 1..CALLS_MIN {
            assert!(broke(&breaker));
        }
        tokio::time::advance(WINDOW).await;
        for _ in 1..CALLS_MIN {
            assert!(broke(&breaker), "those of before are forgotten");
        }
        tokio::time::advance(WINDOW / 2).await;
        assert!(broke(&breaker), "this one counts with them");
        assert!(!broke(&breaker));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_answers() {
        let breaker = breaker();
        let overloaded = || {
            let mut failure = Failure::unavailable("Too much.", REST);
            failure.reason = ErrorReason::Overloaded;
            failure
        };
        for _ in 0..2 * CALLS_MIN {
            assert!(call(&breaker, Ok(overloaded())));
            assert!(call(
                &breaker,
                Ok(Failure::unavailable("No database.", REST))
            ));
        }
        for _ in 0..4 * CALLS_MIN {
            call(&breaker, Ok(Failure::outcome_unknown()));
        }
        assert!(!answered(&breaker), "who cannot tell has not answered");
    }

    #[tokio::test(start_paused = true)]
    async fn it_can_be_switched_off() {
        let breaker = Breaker::new("ticket-svc", 0);
        for _ in 0..10 * CALLS_MIN {
            assert!(broke(&breaker));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_began_before_decides_nothing() {
        let breaker = breaker();
        let early = breaker.admit().expect("it is closed");
        let old: Vec<_> = (0..CALLS_MIN)
            .map(|_| breaker.admit().ok().unwrap())
            .collect();
        for _ in 0..CALLS_MIN {
            broke(&breaker);
        }
        tokio::time::advance(REST).await;
        let trial = breaker.admit().expect("one may try");
        early.ended(&Ok(Failure::not_found("hold")
            .into_status()
            .into_http::<String>()));
        assert!(breaker.admit().is_err(), "the trial is still under way");
        trial.ended(&Ok(Failure::not_found("hold")
            .into_status()
            .into_http::<String>()));
        for one in old {
            one.ended::<String>(&Err("its time was over".into()));
        }
        assert!(answered(&breaker), "it is closed again, and stays so");
    }
}
