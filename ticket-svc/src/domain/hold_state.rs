//! The life of a hold: `active → paying → committed`, and to `released | expired` from the first two.

use time::OffsetDateTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    Active,
    /// Bound to an order that is being paid.
    Paying,
    Committed,
    Released,
    Expired,
}

/// What can happen to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldStep {
    BeginPayment,
    Commit,
    /// The guest gives it back.
    GuestRelease,
    /// Its order was cancelled or refused.
    OrderRelease,
    /// Its deadline passed.
    Deadline,
}

impl HoldState {
    pub const ALL: [Self; 5] = [
        Self::Active,
        Self::Paying,
        Self::Committed,
        Self::Released,
        Self::Expired,
    ];

    /// As it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paying => "paying",
            Self::Committed => "committed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// The state after the step; none where the step is not allowed.
    pub fn after(self, step: HoldStep) -> Option<Self> {
        match (self, step) {
            (Self::Active, HoldStep::BeginPayment) => Some(Self::Paying),
            (Self::Paying, HoldStep::Commit) => Some(Self::Committed),
            (Self::Active, HoldStep::GuestRelease) | (Self::Paying, HoldStep::OrderRelease) => {
                Some(Self::Released)
            }
            (Self::Active | Self::Paying, HoldStep::Deadline) => Some(Self::Expired),
            _ => None,
        }
    }

    /// What a reader sees: past its deadline a hold is dead, whether the sweeper came by or not.
    pub fn seen(self, deadline: OffsetDateTime, now: OffsetDateTime) -> Self {
        if deadline <= now {
            self.after(HoldStep::Deadline).unwrap_or(self)
        } else {
            self
        }
    }

    /// Whether its stock is set aside.
    pub fn holds_stock(self) -> bool {
        matches!(self, Self::Active | Self::Paying)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};

    fn steps() -> impl Strategy<Value = Vec<HoldStep>> {
        let step = prop_oneof![
            Just(HoldStep::BeginPayment),
            Just(HoldStep::Commit),
            Just(HoldStep::GuestRelease),
            Just(HoldStep::OrderRelease),
            Just(HoldStep::Deadline),
        ];
        prop::collection::vec(step, 0..12)
    }

    proptest! {
        #[test]
        fn a_life_ends_once_and_stock_is_settled_once(steps in steps()) {
            let (mut state, mut settled, mut paid_for) = (HoldState::Active, 0, false);
            for step in steps {
                let Some(next) = state.after(step) else { continue };
                prop_assert!(state.holds_stock(), "{state:?} was left by {step:?}");
                prop_assert_ne!(state, next);
                settled += u32::from(!next.holds_stock());
                paid_for |= next == HoldState::Paying;
                if next == HoldState::Committed {
                    prop_assert!(paid_for);
                }
                state = next;
            }
            prop_assert_eq!(settled, u32::from(!state.holds_stock()));
        }

        #[test]
        fn a_reader_sees_a_dead_hold_exactly_from_its_deadline(offset_secs in -1000i64..1000) {
            let deadline = datetime!(2026-06-12 18:00 UTC);
            let now = deadline + Duration::seconds(offset_secs);
            for state in HoldState::ALL {
                let dead = state.holds_stock() && offset_secs >= 0;
                let expected = if dead { HoldState::Expired } else { state };
                prop_assert_eq!(state.seen(deadline, now), expected);
            }
        }
    }

    #[test]
    fn a_paying_hold_is_given_back_by_its_order_alone() {
        assert_eq!(HoldState::Paying.after(HoldStep::GuestRelease), None);
        assert_eq!(HoldState::Active.after(HoldStep::OrderRelease), None);
        assert_eq!(
            HoldState::Paying.after(HoldStep::OrderRelease),
            Some(HoldState::Released)
        );
    }

    #[test]
    fn stored_words_come_back() {
        for state in HoldState::ALL {
            assert_eq!(HoldState::from_word(state.word()), Some(state));
        }
        assert_eq!(HoldState::from_word("gone"), None);
    }
}
