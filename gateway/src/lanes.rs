//! Who is let in when there is too much to do. Those who have tickets in hand or are about to pay come
//! in by a lane of their own beside everybody's: a crowd that looks at the programme must not keep a
//! guest from an order that is paid, nor a provider from saying so.
//!
//! Anybody can send a header that looks like a secret, and whether it is right only the service knows that
//! made it, at the price of a call. So the lane has two parts. All of it is open to whoever shows a secret
//! that a service has lately said to be right, to this gateway and for the same id. Half of it is open to
//! whoever shows anything of the right shape and place: links that were never opened here, or by another
//! gateway, and the reports of payment providers. Who makes secrets up fills that half at most.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use axum::{extract::Request, response::Response};
use kit::{Admission, Failure};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    app::App,
    arrival::Arrived,
    cookies::Kind,
    extract::secret_of,
    observe::route_of,
    rates::{Buckets, Pace},
};

/// How long a secret counts as right after a service has said so: longer than a hold lives and a guest
/// takes to pay. Nothing is opened by it, so it does no harm that it may be revoked meanwhile.
const REMEMBERED: Pace = Pace::within(1, 1, Duration::from_secs(2 * 60 * 60));

pub struct Lanes {
    everybody: Admission,
    reserved: Admission,
    /// Of the reserved places, those for who has proven nothing yet.
    claims: Admission,
    /// Hashes of ids and their secrets.
    right: Buckets,
}

/// A place among the requests in work, for as long as it lives.
pub struct Place(#[expect(dead_code, reason = "held, not used")] Permits);

type Permits = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// What a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    None,
    Made,
    Proven,
}

/// Routes of the reserved lane, with what must come along.
const RESERVED: [(&str, Proof); 12] = [
    ("/api/v1/holds/{id}", Proof::InHeaders(Kind::Hold)),
    ("/api/v1/orders/{id}", Proof::InHeaders(Kind::Order)),
    (
        "/api/v1/transferred-tickets/{id}",
        Proof::InHeaders(Kind::Ticket),
    ),
    ("/checkout/{id}", Proof::InHeaders(Kind::Hold)),
    ("/orders/{id}", Proof::InHeaders(Kind::Order)),
    ("/tickets/{id}", Proof::InHeaders(Kind::Ticket)),
    ("/api/v1/orders", Proof::InBody),
    ("/h/{id}/", Proof::InPath),
    ("/o/{id}/", Proof::InPath),
    ("/t/{id}/", Proof::InPath),
    ("/api/v1/webhooks/", Proof::Unknown),
    ("/pay/sandbox/", Proof::Unknown),
];

#[derive(Clone, Copy)]
enum Proof {
    /// A bearer token, or the cookie for the id in the path.
    InHeaders(Kind),
    /// The hold that an order is placed with.
    InBody,
    /// Behind the id.
    InPath,
    /// Nothing of which the gateway could ever hear that it is right.
    Unknown,
}

#[derive(Deserialize)]
struct OfHold<'a> {
    #[serde(borrow)]
    hold_id: Cow<'a, str>,
    #[serde(borrow)]
    hold_secret: Cow<'a, str>,
}

impl Lanes {
    /// So many requests at once, and so many more of those with tickets.
    pub fn new(everybody: usize, reserved: usize) -> Self {
        Self {
            everybody: Admission::new(everybody),
            reserved: Admission::new(reserved),
            claims: Admission::new(reserved.div_ceil(2)),
            right: Buckets::new(Instant::now()),
        }
    }

    /// One of everybody's places, held as long as the result lives; none if they are taken.
    pub fn enter_at_once(&self) -> Option<Place> {
        let place = self.everybody.enter_at_once()?;
        Some(Place((place, None)))
    }

    /// The same, or what is soon free for such a claim; `OVERLOADED` if nothing is.
    pub async fn enter(&self, claim: Claim) -> Result<Place, Failure> {
        if let Some(place) = self.enter_at_once() {
            return Ok(place);
        }
        let permits = match claim {
            Claim::None => (self.everybody.enter().await?, None),
            Claim::Made => {
                let share = self.claims.enter().await?;
                (self.reserved.enter().await?, Some(share))
            }
            Claim::Proven => (self.reserved.enter().await?, None),
        };
        Ok(Place(permits))
    }

    /// A service has made this secret, or said that it is right.
    pub fn remember(&self, id: &str, secret: &str) {
        // One that is there stays until its time is over, and is then said to be right again.
        let _ = self.right.take((id, secret), REMEMBERED, 1, Instant::now());
    }

    fn knows(&self, id: &str, secret: &str) -> bool {
        self.right.owes((id, secret), Instant::now())
    }
}

/// Whoever opens links that lead nowhere waits with everybody.
pub fn claim(app: &App, request: &Request) -> Claim {
    let Some((start, proof)) = reserved(request) else {
        return Claim::None;
    };
    let claim = match shown(app, request, start, proof) {
        Some((id, secret)) if app.lanes.knows(&id, &secret) => Claim::Proven,
        None if !matches!(proof, Proof::Unknown) => Claim::None,
        _ => Claim::Made,
    };
    let (extensions, headers) = (request.extensions(), request.headers());
    let network = app.proxies.network(extensions, headers);
    let guesses = || app.guesses.check(&network, Instant::now()).is_err();
    if claim == Claim::Made && guesses() {
        return Claim::None;
    }
    claim
}

fn reserved(request: &Request) -> Option<(&'static str, Proof)> {
    let route = route_of(request);
    let mut rows = RESERVED.into_iter();
    rows.find(|(start, _)| route.starts_with(start))
}

/// An id with what is said to be its secret.
type Shown<'a> = (Cow<'a, str>, Cow<'a, str>);

fn shown<'a>(app: &App, request: &'a Request, start: &str, proof: Proof) -> Option<Shown<'a>> {
    let path = request.uri().path();
    let after_start = || {
        let place = start.split('/').position(|part| part == "{id}")?;
        let mut parts = path.split('/').skip(place);
        Some((parts.next()?, parts.next()))
    };
    match proof {
        Proof::InHeaders(kind) => {
            let (id, _) = after_start()?;
            let secret = secret_of(app, request.headers(), kind, id)?;
            Some((id.into(), secret.into()))
        }
        Proof::InPath => {
            let (id, secret) = after_start()?;
            Some((id.into(), secret?.into()))
        }
        Proof::InBody => {
            let Arrived(body) = request.extensions().get()?;
            let OfHold {
                hold_id,
                hold_secret,
            } = serde_json::from_slice(body).ok()?;
            Some((hold_id, hold_secret))
        }
        Proof::Unknown => None,
    }
}

/// What a request has shown in its headers, until it is known whether it was right: nothing but the
/// owning service's word leads to a good answer on these routes.
pub struct Pending(Option<(String, String)>);

impl Pending {
    pub fn of(app: &App, request: &Request) -> Self {
        let found = reserved(request)
            .filter(|(_, proof)| matches!(proof, Proof::InHeaders(_)))
            .and_then(|(start, proof)| shown(app, request, start, proof));
        Self(found.map(|(id, secret)| (id.into_owned(), secret.into_owned())))
    }

    pub fn judge(self, app: &App, answer: &Response) {
        if let Some((id, secret)) = self.0.filter(|_| answer.status().is_success()) {
            app.lanes.remember(&id, &secret);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_has_confirmed_fills_half_of_the_reserved_lane() {
        let lanes = Lanes::new(1, 4);
        let everybody = lanes.enter(Claim::None).await.unwrap();
        let one = lanes.enter(Claim::Made).await.unwrap();
        let two = lanes.enter(Claim::Made).await.unwrap();
        assert!(lanes.enter(Claim::Made).await.is_err());
        assert!(lanes.enter(Claim::None).await.is_err());
        let three = lanes.enter(Claim::Proven).await.unwrap();
        let four = lanes.enter(Claim::Proven).await.unwrap();
        assert!(lanes.enter(Claim::Proven).await.is_err());
        drop((one, two, three, four));
        let all = [
            lanes.enter(Claim::Proven).await.unwrap(),
            lanes.enter(Claim::Proven).await.unwrap(),
            lanes.enter(Claim::Proven).await.unwrap(),
            lanes.enter(Claim::Proven).await.unwrap(),
        ];
        drop((everybody, all));
        assert!(lanes.enter(Claim::None).await.is_ok());
    }

    #[test]
    fn a_secret_is_right_for_its_own_id() {
        let lanes = Lanes::new(1, 1);
        lanes.remember("1", "secret");
        assert!(lanes.knows("1", "secret"));
        assert!(!lanes.knows("2", "secret") && !lanes.knows("1", "guess"));
    }
}
