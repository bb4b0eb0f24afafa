//! What is remembered about the broker, so that a silent one is not waited for again and again. A
//! full disk, for example, shows as timeouts while the connection and the broker's own probe are fine.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// After a failure nothing is published for so long; then one message tries it.
const SUSPICION: Duration = Duration::from_secs(10);

/// How much is given to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Everything.
    Full,
    /// Everything, once the stream was seen: the connection is new, or the stream was gone.
    AfterALook,
    /// One message, with little patience.
    OneMessage,
    Nothing,
}

#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// Which connection this is about; a new one is a new start.
    connection: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unseen,
    Sound,
    Suspect {
        until: Instant,
    },
}

impl Health {
    pub fn trust(&self, connection: u64, now: Instant) -> Trust {
        let mut memory = self.memory();
        if memory.connection != connection {
            *memory = Memory {
                connection,
                state: State::Unseen,
            };
        }
        match memory.state {
            State::Unseen => Trust::AfterALook,
            State::Sound => Trust::Full,
            State::Suspect { until } if now < until => Trust::Nothing,
            State::Suspect { .. } => Trust::OneMessage,
        }
    }

    /// It acknowledged. Says whether that is news.
    pub fn answers(&self) -> bool {
        let before = std::mem::replace(&mut self.memory().state, State::Sound);
        matches!(before, State::Suspect { .. })
    }

    /// It did not answer, or refused. Says whether that is news.
    pub fn fails(&self, now: Instant) -> bool {
        let suspect = State::Suspect {
            until: now + SUSPICION,
        };
        let before = std::mem::replace(&mut self.memory().state, suspect);
        !matches!(before, State::Suspect { .. })
    }

    /// It answers, and has no such stream (any more).
    pub fn forgot(&self) {
        self.memory().state = State::Unseen;
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Every value of it is a valid one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_broker_is_left_alone_and_then_tried_with_one_message() {
        let (health, start) = (Health::default(), Instant::now());
        assert_eq!(health.trust(1, start), Trust::AfterALook);
        assert!(!health.answers());
        assert_eq!(health.trust(1, start), Trust::Full);

        assert!(health.fails(start), "the first failure is news");
        assert_eq!(health.trust(1, start + SUSPICION / 2), Trust::Nothing);
        let later = start + SUSPICION;
        assert_eq!(health.trust(1, later), Trust::OneMessage);
        assert!(!health.fails(later), "the second is none");
        assert_eq!(health.trust(1, later + SUSPICION / 2), Trust::Nothing);
        assert!(health.answers());
        assert_eq!(health.trust(1, later), Trust::Full);
    }

    #[test]
    fn a_new_connection_is_a_new_start() {
        let (health, start) = (Health::default(), Instant::now());
        assert_eq!(health.trust(1, start), Trust::AfterALook);
        health.fails(start);
        assert_eq!(health.trust(1, start), Trust::Nothing);
        assert_eq!(health.trust(2, start), Trust::AfterALook);
    }
}
