//! The life of a refund. The drawing is in the contract (`RefundStatus`); this table is the rule.

use std::{str::FromStr, time::Duration};

use proto::payment::{RefundReason as WireReason, RefundStatus as Wire};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundStatus {
    Requested,
    Submitted,
    Succeeded,
    Failed,
    FailedFinal,
    External,
}

use RefundStatus::*;

impl RefundStatus {
    pub const ALL: [Self; 6] = [
        Requested,
        Submitted,
        Succeeded,
        Failed,
        FailedFinal,
        External,
    ];

    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Requested => "requested",
            Submitted => "submitted",
            Succeeded => "succeeded",
            Failed => "failed",
            FailedFinal => "failed_final",
            External => "external",
        }
    }

    pub fn wire(self) -> Wire {
        match self {
            Requested => Wire::Requested,
            Submitted => Wire::Submitted,
            Succeeded => Wire::Succeeded,
            Failed => Wire::Failed,
            FailedFinal => Wire::FailedFinal,
            External => Wire::External,
        }
    }

    pub fn next(self) -> &'static [Self] {
        match self {
            // Straight to the end where there are no such tickets to make void.
            Requested => &[Submitted, FailedFinal],
            Submitted => &[Succeeded, Failed, FailedFinal],
            // A provider that said no may turn out to have done it after all.
            Failed => &[Submitted, Succeeded, FailedFinal],
            // By a person who paid it out, or who has it tried again.
            FailedFinal => &[Succeeded, Failed],
            // The guest's bank did not take it.
            Succeeded | External => &[FailedFinal],
        }
    }

    pub fn may_become(self, to: Self) -> bool {
        self.next().contains(&to)
    }

    /// The money is with the guest.
    pub fn is_paid_out(self) -> bool {
        matches!(self, Succeeded | External)
    }
}

/// How long after `failures` refusals in a row the provider is asked again.
pub fn ask_again_after(failures: i32) -> Duration {
    const MINUTE: u64 = 60;
    Duration::from_secs(match failures {
        ..=1 => MINUTE,
        2 => 5 * MINUTE,
        3 => 30 * MINUTE,
        4 => 120 * MINUTE,
        5 => 720 * MINUTE,
        _ => 60 * MINUTE,
    })
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no status of a refund")]
pub struct UnknownStatus(String);

impl FromStr for RefundStatus {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|status| status.word() == word);
        found.ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}

/// Why money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundReason {
    Requested,
    Unfulfillable,
    SecondPayment,
    Overpaid,
    OrderEnded,
    Mismatch,
    EventCancelled,
    GuestCancelled,
    External,
}

impl RefundReason {
    pub const ALL: [Self; 9] = [
        Self::Requested,
        Self::Unfulfillable,
        Self::SecondPayment,
        Self::Overpaid,
        Self::OrderEnded,
        Self::Mismatch,
        Self::EventCancelled,
        Self::GuestCancelled,
        Self::External,
    ];

    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Unfulfillable => "unfulfillable",
            Self::SecondPayment => "second_payment",
            Self::Overpaid => "overpaid",
            Self::OrderEnded => "order_ended",
            Self::Mismatch => "mismatch",
            Self::EventCancelled => "event_cancelled",
            Self::GuestCancelled => "guest_cancelled",
            Self::External => "external",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    pub fn wire(self) -> WireReason {
        match self {
            Self::Requested => WireReason::Requested,
            Self::Unfulfillable => WireReason::Unfulfillable,
            Self::SecondPayment => WireReason::SecondPayment,
            Self::Overpaid => WireReason::Overpaid,
            Self::OrderEnded => WireReason::OrderEnded,
            Self::Mismatch => WireReason::Mismatch,
            Self::EventCancelled => WireReason::EventCancelled,
            Self::GuestCancelled => WireReason::GuestCancelled,
            Self::External => WireReason::External,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for status in RefundStatus::ALL {
            assert_eq!(status.word().parse::<RefundStatus>().unwrap(), status);
        }
        for reason in RefundReason::ALL {
            assert_eq!(RefundReason::from_word(reason.word()), Some(reason));
        }
    }

    #[test]
    fn refusals_wait_longer_and_longer_then_hourly() {
        let minutes: Vec<u64> = (0..9).map(|n| ask_again_after(n).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 1, 5, 30, 120, 720, 60, 60, 60]);
    }

    #[test]
    fn money_that_is_back_is_a_person_s_if_it_comes_again() {
        for from in RefundStatus::ALL {
            assert_eq!(from.next() == [FailedFinal], from.is_paid_out(), "{from:?}");
            assert!(!from.may_become(Requested) && !from.may_become(External));
        }
    }
}
