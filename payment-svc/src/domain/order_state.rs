//! The life of an order. The drawing is in the contract (`OrderStatus`); this table is the rule.

use std::str::FromStr;

use proto::payment::OrderStatus as Wire;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    Created,
    AwaitingPayment,
    Processing,
    Paid,
    Fulfilled,
    PartiallyRefunded,
    Refunded,
    Expired,
    Cancelled,
    Mismatch,
    Unfulfillable,
}

use OrderStatus::*;

impl OrderStatus {
    pub const ALL: [Self; 11] = [
        Created,
        AwaitingPayment,
        Processing,
        Paid,
        Fulfilled,
        PartiallyRefunded,
        Refunded,
        Expired,
        Cancelled,
        Mismatch,
        Unfulfillable,
    ];

    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Created => "created",
            AwaitingPayment => "awaiting_payment",
            Processing => "processing",
            Paid => "paid",
            Fulfilled => "fulfilled",
            PartiallyRefunded => "partially_refunded",
            Refunded => "refunded",
            Expired => "expired",
            Cancelled => "cancelled",
            Mismatch => "mismatch",
            Unfulfillable => "unfulfillable",
        }
    }

    pub fn wire(self) -> Wire {
        match self {
            Created => Wire::Created,
            AwaitingPayment => Wire::AwaitingPayment,
            Processing => Wire::Processing,
            Paid => Wire::Paid,
            Fulfilled => Wire::Fulfilled,
            PartiallyRefunded => Wire::PartiallyRefunded,
            Refunded => Wire::Refunded,
            Expired => Wire::Expired,
            Cancelled => Wire::Cancelled,
            Mismatch => Wire::Mismatch,
            Unfulfillable => Wire::Unfulfillable,
        }
    }

    /// Where an order may go from here.
    pub fn next(self) -> &'static [Self] {
        match self {
            // Straight to paid only where the total is zero.
            Created => &[AwaitingPayment, Paid, Expired, Cancelled],
            AwaitingPayment => &[Processing, Paid, Expired, Cancelled, Mismatch],
            Processing => &[AwaitingPayment, Paid, Mismatch],
            Paid => &[Fulfilled, Unfulfillable],
            Fulfilled => &[PartiallyRefunded, Refunded],
            PartiallyRefunded => &[Fulfilled, Refunded],
            // A late payment is never turned away here; ticket-svc decides what becomes of it.
            Expired | Cancelled => &[Paid, Mismatch],
            Mismatch => &[Paid, Refunded, Cancelled],
            Unfulfillable => &[Refunded],
            // What it was before, if the guest's bank did not take the money.
            Refunded => &[Fulfilled, PartiallyRefunded, Mismatch, Unfulfillable],
        }
    }

    pub fn may_become(self, to: Self) -> bool {
        self.next().contains(&to)
    }

    /// Tickets exist for the order.
    pub fn has_tickets(self) -> bool {
        matches!(self, Fulfilled | PartiallyRefunded)
    }

    /// How long after reaching this status the saga looks at the order; none if it is at rest.
    pub fn first_look_secs(self) -> Option<f64> {
        match self {
            // The request that made it so goes on itself; the saga is there for the crash.
            Created => Some(10.0),
            AwaitingPayment | Processing => Some(15.0),
            Paid | Expired | Cancelled => Some(0.0),
            Fulfilled | PartiallyRefunded | Refunded | Mismatch | Unfulfillable => None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no status of an order")]
pub struct UnknownStatus(String);

impl FromStr for OrderStatus {
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

    fn any_status() -> impl Strategy<Value = OrderStatus> {
        prop::sample::select(&OrderStatus::ALL[..])
    }

    #[test]
    fn words_are_read_back() {
        for status in OrderStatus::ALL {
            assert_eq!(status.word().parse::<OrderStatus>().unwrap(), status);
        }
        assert!("PAID".parse::<OrderStatus>().is_err());
    }

    proptest! {
        #[test]
        fn no_walk_gets_tickets_without_payment(steps in prop::collection::vec(any::<prop::sample::Index>(), 1..12)) {
            let (mut status, mut paid) = (Created, false);
            for step in steps {
                // From here only back, to what it was.
                if status == Refunded {
                    break;
                }
                status = *step.get(status.next());
                paid |= status == Paid;
                prop_assert!(paid || !status.has_tickets());
                prop_assert!(paid || status != Unfulfillable);
            }
        }

        #[test]
        fn nothing_undoes_a_payment(from in any_status(), to in any_status()) {
            let after_payment = matches!(from, Paid | Fulfilled | PartiallyRefunded | Refunded | Unfulfillable);
            let before_payment = matches!(to, Created | AwaitingPayment | Processing | Expired | Cancelled | Mismatch);
            let back = (from, to) == (Refunded, Mismatch);
            prop_assert!(back || !(after_payment && before_payment && from.may_become(to)));
            prop_assert!(!from.may_become(from));
            prop_assert!(!from.may_become(Created));
        }
    }
}
