//! What a code is worth at the door of one event, by the facts of its ticket.

use base::EventId;

use super::key_state::KeyState;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// The ticket was given back.
    Void,
    WrongEvent,
    /// Not a code that this box office made.
    Unknown,
    /// A newer code took its place, or its key was revoked.
    Revoked,
}

/// A code whose signature is right, beside what is stored of its ticket.
#[derive(Clone, Copy, Debug)]
pub struct Genuine {
    pub event: EventId,
    /// That the code says, and that the ticket has.
    pub shown: u32,
    pub current: u32,
    /// None for a code of the first format.
    pub key: Option<KeyState>,
    pub is_void: bool,
}

/// A scanner without a network comes to the same word, by `codes::Door`.
pub fn verdict(code: &Genuine, door: EventId) -> Verdict {
    if code.event != door {
        Verdict::WrongEvent
    } else if code.key == Some(KeyState::Revoked) || code.shown != code.current {
        Verdict::Revoked
    } else if code.is_void {
        Verdict::Void
    } else {
        Verdict::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_gravest_word_is_said() {
        let (here, there) = (EventId::from(Uuid::nil()), EventId::from(Uuid::max()));
        let valid = Genuine {
            event: here,
            shown: 2,
            current: 2,
            key: Some(KeyState::Retired),
            is_void: false,
        };
        let void = Genuine {
            is_void: true,
            ..valid
        };
        let old = Genuine { shown: 1, ..void };
        let revoked = Genuine {
            key: Some(KeyState::Revoked),
            ..valid
        };
        assert_eq!(verdict(&valid, here), Verdict::Ok);
        assert_eq!(verdict(&Genuine { key: None, ..valid }, here), Verdict::Ok);
        assert_eq!(verdict(&void, here), Verdict::Void);
        assert_eq!(verdict(&old, here), Verdict::Revoked);
        assert_eq!(verdict(&revoked, here), Verdict::Revoked);
        assert_eq!(verdict(&revoked, there), Verdict::WrongEvent);
    }
}
