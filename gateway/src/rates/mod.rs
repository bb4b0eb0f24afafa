//! How often one network may ask, how many tickets it may have set aside, and how many mails strangers
//! may cause to one address. Kept in memory, by each gateway for itself: a brake against programs that
//! run wild, not an account of who did what.

use std::time::{Duration, Instant};

use axum::extract::Request;
use kit::{Certainty, Code, ErrorReason, Failure};

use crate::{network::NetworkId, observe::route_of, problem::Problem};

mod buckets;
mod classes;

pub use classes::RateLimits;

use buckets::{Buckets, Pace};
use classes::{Class, Paces, class_of};

/// How long tickets stay set aside, unless ticket-svc is told otherwise.
const HOLD_PERIOD: Duration = Duration::from_secs(600);
const MAILS_PERIOD: Duration = Duration::from_secs(3600);
const ONCE: Pace = Pace::within(1, 1, MAILS_PERIOD);

pub struct Rates {
    /// None: whatever comes is let in.
    paces: Option<Paces>,
    /// None: no limit.
    held: Option<Pace>,
    mails: Option<Pace>,
    buckets: Buckets,
}

/// What the limits besides the paces are; 0 is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Tickets that one network sets aside within ten minutes.
    pub held_tickets: u32,
    /// Mails to one address that strangers cause within an hour.
    pub mails: u32,
}

/// Whose limit it is. Each variant counts apart.
#[derive(Hash)]
enum Subject<'a> {
    Asks(Class, NetworkId),
    Holds(NetworkId),
    Mails(&'a str),
    /// What was counted already.
    Repeats(&'a str, &'a str),
}

impl Rates {
    pub fn new(limits: RateLimits, caps: Caps) -> Self {
        let on = !matches!(limits, RateLimits::Off);
        let cap = |most: u32, period| (on && most > 0).then(|| Pace::within(most, most, period));
        Self {
            paces: match limits {
                RateLimits::Off => None,
                RateLimits::On(paces) => Some(paces),
            },
            held: cap(caps.held_tickets, HOLD_PERIOD),
            mails: cap(caps.mails, MAILS_PERIOD),
            buckets: Buckets::new(Instant::now()),
        }
    }

    /// Counts a request; `network` is only looked for where it matters.
    pub fn ask(
        &self,
        request: &Request,
        network: impl FnOnce() -> Option<NetworkId>,
    ) -> Result<(), Problem> {
        let Some(paces) = &self.paces else {
            return Ok(());
        };
        let Some(class) = class_of(request.method(), route_of(request)) else {
            return Ok(());
        };
        let Some(network) = network() else {
            return Ok(());
        };
        let subject = Subject::Asks(class, network);
        let taken = self
            .buckets
            .take(subject, paces.of(class), 1, Instant::now());
        taken.map_err(|wait| {
            metrics::counter!("http_requests_refused_by_rate_total", "class" => class.word())
                .increment(1);
            too_many(
                "More was asked from your network than we can take. Wait a moment.",
                wait,
            )
        })
    }

    /// Counts tickets that are to be set aside: who never pays must not keep a concert from everybody.
    pub fn hold(&self, network: Option<NetworkId>, tickets: u32) -> Result<(), Problem> {
        let (Some(pace), Some(network)) = (self.held, network) else {
            return Ok(());
        };
        let subject = Subject::Holds(network);
        let taken = self.buckets.take(subject, pace, tickets, Instant::now());
        taken.map_err(|wait| {
            let detail = "From your network too many tickets are set aside at the moment. Wait a \
                          little.";
            too_many(detail, wait)
        })
    }

    /// They were not set aside after all.
    pub fn give_back(&self, network: Option<NetworkId>, tickets: u32) {
        if let (Some(pace), Some(network)) = (self.held, network) {
            let subject = Subject::Holds(network);
            self.buckets.give_back(subject, pace, tickets);
        }
    }

    /// What sends a mail to an address because somebody wrote it into a form. A repeat with the same key
    /// makes no second one, and what was refused made none: wishes that fail must not use up the mails of
    /// the one whose address it is.
    pub async fn mailing<T>(
        &self,
        (address, key): (&str, &str),
        causes: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let counted = self.mail(address, key)?;
        let outcome = causes.await;
        let refused = |problem: &Problem| problem.0.certainty != Certainty::Unknown;
        if counted && outcome.as_ref().is_err_and(refused) {
            self.unmail(address, key);
        }
        outcome
    }

    /// False for a repeat.
    fn mail(&self, address: &str, key: &str) -> Result<bool, Problem> {
        let Some(pace) = self.mails else {
            return Ok(false);
        };
        let address = address.trim().to_lowercase();
        let now = Instant::now();
        let first = || Subject::Repeats(&address, key);
        if self.buckets.take(first(), ONCE, 1, now).is_err() {
            return Ok(false);
        }
        let taken = self.buckets.take(Subject::Mails(&address), pace, 1, now);
        taken.map_err(|wait| {
            self.buckets.give_back(first(), ONCE, 1);
            too_many("Too much goes to this address. Wait a little.", wait)
        })?;
        Ok(true)
    }

    fn unmail(&self, address: &str, key: &str) {
        if let Some(pace) = self.mails {
            let address = address.trim().to_lowercase();
            self.buckets.give_back(Subject::Mails(&address), pace, 1);
            self.buckets
                .give_back(Subject::Repeats(&address, key), ONCE, 1);
        }
    }
}

fn too_many(detail: &str, wait: Duration) -> Problem {
    let mut failure = Failure::refused(
        Code::ResourceExhausted,
        ErrorReason::TooManyRequests,
        detail,
    );
    // Whole seconds are told, and a moment too early would be refused again.
    failure.retry_after = Some(wait + Duration::from_secs(1));
    failure.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Option<NetworkId> = Some(NetworkId::of_tests(1));

    fn rates(limits: &str, held_tickets: u32, mails: u32) -> Rates {
        let caps = Caps {
            held_tickets,
            mails,
        };
        Rates::new(limits.parse().unwrap(), caps)
    }

    #[test]
    fn tickets_are_counted_by_network() {
        let rates = rates("on", 10, 0);
        assert!(rates.hold(NETWORK, 6).is_ok());
        assert!(rates.hold(NETWORK, 5).is_err());
        assert!(rates.hold(NETWORK, 4).is_ok());
        rates.give_back(NETWORK, 4);
        assert!(rates.hold(NETWORK, 4).is_ok());
        assert!(rates.hold(Some(NetworkId::of_tests(2)), 10).is_ok());
        assert!(rates.hold(None, 1_000).is_ok(), "nobody knows whose");
    }

    #[test]
    fn mails_are_counted_by_address_however_it_is_written() {
        let rates = rates("on", 0, 2);
        for _ in 0..5 {
            assert!(rates.mail("Ada@example.org", "one").is_ok(), "a repeat");
        }
        assert!(rates.mail(" ada@EXAMPLE.org ", "two").is_ok());
        for _ in 0..2 {
            let refused = rates.mail("ada@example.org", "three").unwrap_err();
            assert_eq!(refused.reason(), ErrorReason::TooManyRequests);
            assert!(refused.0.retry_after.unwrap() > Duration::from_secs(1_700));
        }
        assert!(rates.mail("ada@example.org", "one").is_ok(), "a repeat");
        assert!(rates.mail("bob@example.org", "three").is_ok());
    }

    #[test]
    fn off_is_off() {
        let rates = rates("off", 1, 1);
        for _ in 0..100 {
            assert!(rates.hold(NETWORK, 100).is_ok());
            assert!(rates.mail("ada@example.org", "key").is_ok());
        }
    }
}
