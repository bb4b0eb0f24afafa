//! How often one network may ask, how many tickets it may have set aside or leave unpaid, and how many mails
//! strangers may cause to one address. Kept in memory, by each gateway for itself: a brake against programs that
//! run wild, not an account of who did what.

use std::time::{Duration, Instant};

use axum::extract::Request;
use kit::{Certainty, Code, ErrorReason, Failure};

use crate::{network::NetworkId, observe::route_of, problem::Problem};

mod buckets;
mod classes;
mod held;
mod reserved;

pub use buckets::{Buckets, Pace};
pub use classes::RateLimits;
pub use held::Wish;
pub use reserved::may_wait;

use classes::{Class, Paces, class_of};
use held::Held;
use reserved::Reserved;

const MAILS_PERIOD: Duration = Duration::from_secs(3600);
const ONCE: Pace = Pace::within(1, 1, MAILS_PERIOD);

pub struct Rates {
    /// None: whatever comes is let in.
    paces: Option<Paces>,
    /// By network: requests, and tickets set aside.
    asks: Buckets,
    held: Held,
    reserved: Reserved,
    /// None: no limit.
    mails: Option<Pace>,
    /// Mails are remembered longest, so they have a table of their own: neither may push the others out.
    mailed: Buckets,
}

/// What the limits besides the paces are; 0 is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Tickets that one network sets aside within ten minutes.
    pub held_tickets: u32,
    /// Tickets that wait for a bank transfer, of what one network orders within a day.
    pub unpaid_tickets: u32,
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
        let cap = |most: u32| if on { most } else { 0 };
        let start = Instant::now();
        Self {
            paces: match limits {
                RateLimits::Off => None,
                RateLimits::On(paces) => Some(paces),
            },
            asks: Buckets::new(start),
            held: Held::new(cap(caps.held_tickets), start),
            reserved: Reserved::new(cap(caps.unpaid_tickets), start),
            mails: most_within(cap(caps.mails), MAILS_PERIOD),
            mailed: Buckets::new(start),
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
        let (subject, now) = (Subject::Asks(class, network), Instant::now());
        let taken = self.asks.take(subject, paces.of(class), 1, now);
        taken.map_err(|wait| {
            metrics::counter!("http_requests_refused_by_rate_total", "class" => class.word())
                .increment(1);
            too_many(
                "More was asked from your network than we can take. Wait a moment.",
                wait,
            )
        })
    }

    /// What sends a mail to an address because somebody wrote it into a form. A repeat makes no second one, and what was
    /// refused made none: wishes that fail must not use up the mails of the one whose address it is. `key` is the
    /// caller's, together with whatever else tells wishes with equal keys apart: one key for many orders is many mails.
    pub async fn mailing<T>(
        &self,
        (address, key): (&str, &str),
        causes: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let counted = self.mail(address, key)?;
        let outcome = causes.await;
        if counted && outcome.as_ref().is_err_and(came_to_nothing) {
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
        if self.mailed.take(first(), ONCE, 1, now).is_err() {
            return Ok(false);
        }
        let taken = self.mailed.take(Subject::Mails(&address), pace, 1, now);
        taken.map_err(|wait| {
            self.mailed.give_back(first(), ONCE, 1);
            too_many("Too much goes to this address. Wait a little.", wait)
        })?;
        Ok(true)
    }

    fn unmail(&self, address: &str, key: &str) {
        if let Some(pace) = self.mails {
            let address = address.trim().to_lowercase();
            self.mailed.give_back(Subject::Mails(&address), pace, 1);
            self.mailed
                .give_back(Subject::Repeats(&address, key), ONCE, 1);
        }
    }
}

/// None for 0, which is no limit.
fn most_within(most: u32, period: Duration) -> Option<Pace> {
    (most > 0).then(|| Pace::within(most, most, period))
}

fn came_to_nothing(problem: &Problem) -> bool {
    problem.0.certainty != Certainty::Unknown
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
    use axum::body::Body;

    use super::*;

    fn rates(limits: &str, held_tickets: u32, mails: u32) -> Rates {
        let caps = Caps {
            held_tickets,
            unpaid_tickets: 0,
            mails,
        };
        Rates::new(limits.parse().unwrap(), caps)
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

    #[tokio::test]
    async fn neither_mails_nor_networks_push_the_others_out() {
        let rates = rates("read=1/1", 1, 1);
        let network = Some(NetworkId::of_tests(1));
        let look = || Request::get("/").body(Body::empty()).unwrap();
        rates.ask(&look(), || network).unwrap();
        rates.mail("ada@example.org", "one").unwrap();
        for other in 0..200_000_u32 {
            // Who strangers write to is remembered for an hour, networks for a minute.
            rates.mail(&format!("{other}@example.org"), "key").unwrap();
        }
        assert!(rates.ask(&look(), || network).is_err());
        let rates = self::rates("read=1/1", 1, 1);
        rates.mail("ada@example.org", "one").unwrap();
        for other in 2..200_000 {
            let other = Some(NetworkId::of_tests(other));
            rates.ask(&look(), || other).unwrap();
        }
        assert!(rates.mail("ada@example.org", "two").is_err());
    }

    #[test]
    fn off_is_off() {
        let rates = rates("off", 1, 1);
        for _ in 0..100 {
            assert!(rates.mail("ada@example.org", "key").is_ok());
        }
    }
}
