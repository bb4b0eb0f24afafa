//! The life of one try to pay. The drawing is in the contract (`AttemptStatus`).

use std::str::FromStr;

use proto::payment::AttemptStatus as Wire;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptStatus {
    Created,
    RequiresAction,
    Processing,
    Succeeded,
    Failed,
    Cancelled,
}

use AttemptStatus::*;

impl AttemptStatus {
    pub const ALL: [Self; 6] = [
        Created,
        RequiresAction,
        Processing,
        Succeeded,
        Failed,
        Cancelled,
    ];

    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Created => "created",
            RequiresAction => "requires_action",
            Processing => "processing",
            Succeeded => "succeeded",
            Failed => "failed",
            Cancelled => "cancelled",
        }
    }

    pub fn wire(self) -> Wire {
        match self {
            Created => Wire::Created,
            RequiresAction => Wire::RequiresAction,
            Processing => Wire::Processing,
            Succeeded => Wire::Succeeded,
            Failed => Wire::Failed,
            Cancelled => Wire::Cancelled,
        }
    }

    /// The guest may still pay by it; an order has at most one such attempt.
    pub fn is_open(self) -> bool {
        matches!(self, Created | RequiresAction | Processing)
    }

    /// Money that arrives counts whatever was believed before; nothing undoes it.
    pub fn may_become(self, to: Self) -> bool {
        match (self, to) {
            (Succeeded, _) | (_, Created) => false,
            (_, Succeeded) => true,
            (Created, RequiresAction) | (Created | RequiresAction, Processing) => true,
            (from, Failed | Cancelled) => from.is_open(),
            _ => false,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no status of a payment attempt")]
pub struct UnknownStatus(String);

impl FromStr for AttemptStatus {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|status| status.word() == word);
        found.ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is reported, in whatever order: a success, once seen, stays, and one seen last still counts.
        #[test]
        fn reports_in_any_order(reports in prop::collection::vec(prop::sample::select(&AttemptStatus::ALL[..]), 0..10)) {
            let mut status = Created;
            for &report in &reports {
                if status.may_become(report) {
                    status = report;
                }
            }
            prop_assert_eq!(status == Succeeded, reports.contains(&Succeeded));
        }

        #[test]
        fn what_is_closed_never_opens_again(
            from in prop::sample::select(&AttemptStatus::ALL[..]),
            to in prop::sample::select(&AttemptStatus::ALL[..]),
        ) {
            prop_assert!(from.is_open() || !to.is_open() || !from.may_become(to));
            prop_assert!(!from.may_become(from));
        }
    }

    #[test]
    fn words_are_read_back() {
        for status in AttemptStatus::ALL {
            assert_eq!(status.word().parse::<AttemptStatus>().unwrap(), status);
        }
    }
}
