//! How many tickets one network may set aside: who never pays must not keep a concert from everybody.
//! Counted before they are set aside, once however often the same is asked; what came to nothing and what
//! was released counts no longer.

use std::time::{Duration, Instant};

use proto::ticket::{Hold, HoldTicketsRequest, HoldTicketsResponse};

use super::{
    Rates, Subject,
    buckets::{Buckets, Pace},
    came_to_nothing, most_within, too_many,
};
use crate::{network::NetworkId, problem::Problem};

/// How long tickets stay set aside, unless ticket-svc is told otherwise.
const PERIOD: Duration = Duration::from_secs(600);
const ONCE: Pace = Pace::within(1, 1, PERIOD);
/// As ticket-svc has them: it refuses what is more, so more need not be counted.
const LINES_MAX: usize = 20;
const PER_ORDER_MAX: u32 = 100;

pub(super) struct Held {
    /// None: no limit.
    pace: Option<Pace>,
    /// What was counted, by key and by hold. Two entries of each hold, so they have a table of their own.
    counted: Buckets,
}

/// What was counted already. Each variant counts apart.
#[derive(Hash)]
enum Counted<'a> {
    Key(NetworkId, &'a str),
    Hold(NetworkId, &'a str),
}

/// Tickets that somebody wants to set aside.
pub struct Wish {
    network: Option<NetworkId>,
    key: String,
    tickets: u32,
}

impl Wish {
    pub fn of(network: Option<NetworkId>, request: &HoldTicketsRequest) -> Self {
        Self {
            network,
            key: request.idempotency_key.clone(),
            tickets: tickets(request.lines.iter().map(|line| line.quantity)),
        }
    }
}

/// No more than one hold can have.
fn tickets(quantities: impl Iterator<Item = u32>) -> u32 {
    quantities
        .take(LINES_MAX)
        .map(|quantity| quantity.min(PER_ORDER_MAX))
        .sum()
}

impl Rates {
    /// Sets tickets aside if the network may have that many.
    pub async fn setting_aside(
        &self,
        wish: &Wish,
        sets_aside: impl Future<Output = Result<HoldTicketsResponse, Problem>>,
    ) -> Result<HoldTicketsResponse, Problem> {
        let counted = self.hold(wish)?;
        let outcome = sets_aside.await;
        match &outcome {
            Ok(made) => {
                // The one that was counted under this key may have been refused meanwhile.
                let counted = counted || self.hold(wish).unwrap_or(false);
                if let (true, Some(hold)) = (counted, &made.hold) {
                    self.remember(wish.network, &hold.id);
                }
            }
            Err(problem) if counted && came_to_nothing(problem) => self.unhold(wish),
            Err(_) => {}
        }
        outcome
    }

    /// The tickets of a hold are free again. They are given back to the network that was counted for
    /// them, if it is the one that released them, and once.
    pub fn released(&self, network: Option<NetworkId>, hold: &Hold) {
        let (Some(pace), Some(network)) = (self.held.pace, network) else {
            return;
        };
        let counted = Counted::Hold(network, &hold.id);
        if self.held.counted.forget(counted, Instant::now()) {
            let tickets = tickets(hold.lines.iter().map(|line| line.quantity));
            self.asks.give_back(Subject::Holds(network), pace, tickets);
        }
    }

    /// False for a repeat, and where nobody counts.
    fn hold(&self, wish: &Wish) -> Result<bool, Problem> {
        let (Some(pace), Some(network)) = (self.held.pace, wish.network) else {
            return Ok(false);
        };
        let (now, counted) = (Instant::now(), &self.held.counted);
        let first = || Counted::Key(network, &wish.key);
        if counted.take(first(), ONCE, 1, now).is_err() {
            return Ok(false);
        }
        let subject = Subject::Holds(network);
        let taken = self.asks.take(subject, pace, wish.tickets, now);
        taken.map_err(|wait| {
            counted.give_back(first(), ONCE, 1);
            let detail = "From your network too many tickets are set aside at the moment. Wait a \
                          little.";
            too_many(detail, wait)
        })?;
        Ok(true)
    }

    fn unhold(&self, wish: &Wish) {
        if let (Some(pace), Some(network)) = (self.held.pace, wish.network) {
            let subject = Subject::Holds(network);
            self.asks.give_back(subject, pace, wish.tickets);
            let key = Counted::Key(network, &wish.key);
            self.held.counted.give_back(key, ONCE, 1);
        }
    }

    fn remember(&self, network: Option<NetworkId>, hold_id: &str) {
        if let (Some(_), Some(network)) = (self.held.pace, network) {
            let hold = Counted::Hold(network, hold_id);
            // Who asks under two keys has two holds, so it is there once.
            let _ = self.held.counted.take(hold, ONCE, 1, Instant::now());
        }
    }
}

impl Held {
    /// So many tickets within ten minutes; 0 is no limit.
    pub(super) fn new(most: u32, start: Instant) -> Self {
        Self {
            pace: most_within(most, PERIOD),
            counted: Buckets::new(start),
        }
    }
}

#[cfg(test)]
mod tests {
    use kit::{Code, ErrorReason, Failure};
    use proto::ticket::{HoldLine, HoldTicketsLine};

    use super::*;
    use crate::rates::Caps;

    const NETWORK: Option<NetworkId> = Some(NetworkId::of_tests(1));
    const OTHER: Option<NetworkId> = Some(NetworkId::of_tests(2));

    fn rates(limits: &str) -> Rates {
        let caps = Caps {
            held_tickets: 10,
            unpaid_tickets: 0,
            mails: 0,
        };
        Rates::new(limits.parse().unwrap(), caps)
    }

    fn wish(network: Option<NetworkId>, key: &str, quantities: &[u32]) -> Wish {
        let line = |quantity: &u32| HoldTicketsLine {
            quantity: *quantity,
            ..Default::default()
        };
        let request = HoldTicketsRequest {
            lines: quantities.iter().map(line).collect(),
            idempotency_key: key.to_owned(),
            ..Default::default()
        };
        Wish::of(network, &request)
    }

    /// A hold with the key as its id.
    fn hold(key: &str, quantity: u32) -> Hold {
        let line = HoldLine {
            quantity,
            ..Default::default()
        };
        Hold {
            id: key.to_owned(),
            lines: vec![line],
            ..Default::default()
        }
    }

    async fn asks(rates: &Rates, network: Option<NetworkId>, key: &str, quantity: u32) -> bool {
        let made = HoldTicketsResponse {
            hold: Some(hold(key, quantity)),
            ..Default::default()
        };
        let wish = wish(network, key, &[quantity]);
        let made = rates.setting_aside(&wish, async { Ok(made) }).await;
        made.is_ok()
    }

    #[tokio::test]
    async fn tickets_are_counted_by_network_and_a_repeat_is_not() {
        let rates = rates("on");
        for _ in 0..5 {
            assert!(asks(&rates, NETWORK, "one", 6).await);
        }
        assert!(!asks(&rates, NETWORK, "two", 5).await);
        assert!(asks(&rates, NETWORK, "two", 4).await);
        assert!(!asks(&rates, NETWORK, "three", 1).await);
        assert!(asks(&rates, OTHER, "one", 10).await);
        assert!(asks(&rates, None, "one", 1_000).await, "nobody knows whose");
        let off = self::rates("off");
        assert!(asks(&off, NETWORK, "one", 100).await);
        assert!(asks(&off, NETWORK, "two", 100).await);
    }

    #[tokio::test]
    async fn what_came_to_nothing_counts_for_nobody() {
        let rates = rates("on");
        let sold_out = || {
            let (code, reason) = (Code::FailedPrecondition, ErrorReason::SoldOut);
            Failure::refused(code, reason, "Sold out.").into()
        };
        for number in 0..5 {
            let wish = wish(NETWORK, &number.to_string(), &[10]);
            let refused = rates.setting_aside(&wish, async { Err(sold_out()) }).await;
            assert_eq!(refused.unwrap_err().reason(), ErrorReason::SoldOut);
        }
        assert!(asks(&rates, NETWORK, "one", 5).await);
        // They may be set aside; the repeat is told.
        let unknown = wish(NETWORK, "two", &[5]);
        let failed = async { Err(Failure::outcome_unknown().into()) };
        assert!(rates.setting_aside(&unknown, failed).await.is_err());
        assert!(!asks(&rates, NETWORK, "three", 1).await);
        assert!(asks(&rates, NETWORK, "two", 5).await);
        // A repeat that is refused gives nothing back that others have.
        let again = async { Err(sold_out()) };
        assert!(rates.setting_aside(&unknown, again).await.is_err());
        assert!(!asks(&rates, NETWORK, "three", 1).await);
    }

    #[tokio::test]
    async fn a_repeat_counts_where_the_first_was_refused_meanwhile() {
        let rates = rates("on");
        let wish = wish(NETWORK, "one", &[10]);
        let repeat = rates.setting_aside(&wish, async {
            rates.unhold(&wish);
            let hold = Some(hold("one", 10));
            let secret = String::new();
            Ok(HoldTicketsResponse { hold, secret })
        });
        assert!(rates.hold(&wish).unwrap());
        assert!(repeat.await.is_ok());
        assert!(!asks(&rates, NETWORK, "two", 1).await);
    }

    #[tokio::test]
    async fn what_is_released_is_given_back_once_and_to_whom_it_was_counted() {
        let rates = rates("on");
        assert!(asks(&rates, NETWORK, "one", 6).await);
        assert!(asks(&rates, NETWORK, "two", 4).await);
        rates.released(OTHER, &hold("one", 6));
        rates.released(None, &hold("one", 6));
        rates.released(NETWORK, &hold("unknown", 6));
        assert!(!asks(&rates, NETWORK, "three", 1).await);
        for _ in 0..3 {
            rates.released(NETWORK, &hold("one", 6));
        }
        assert!(!asks(&rates, NETWORK, "three", 7).await);
        assert!(asks(&rates, NETWORK, "three", 6).await);
        // A repeat of what was released sets nothing aside, and is not released again.
        assert!(asks(&rates, NETWORK, "one", 6).await);
        rates.released(NETWORK, &hold("one", 6));
        assert!(!asks(&rates, NETWORK, "four", 1).await);
    }

    #[test]
    fn more_than_a_hold_can_have_is_not_counted() {
        assert_eq!(wish(NETWORK, "key", &[u32::MAX]).tickets, 100);
        assert_eq!(wish(NETWORK, "key", &[u32::MAX; 50]).tickets, 2_000);
        assert_eq!(wish(NETWORK, "key", &[1, 2, 3]).tickets, 6);
    }
}
