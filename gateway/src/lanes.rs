//! Who is let in when there is too much to do. Those who have tickets in hand or are about to pay come
//! in by a lane of their own beside everybody's: a crowd that looks at the programme must not keep a
//! guest from an order that is paid, nor a provider from saying so.

use std::time::Instant;

use axum::extract::Request;
use http::header;
use kit::{Admission, Failure};
use tokio::sync::OwnedSemaphorePermit;

use crate::{app::App, observe::route_of};

pub struct Lanes {
    everybody: Admission,
    reserved: Admission,
}

/// Routes of the reserved lane, with what must come along: whether it is right, the services say.
const RESERVED: [(&str, Proof); 11] = [
    ("/api/v1/holds/{id}", Proof::InHeaders),
    ("/api/v1/orders/{id}", Proof::InHeaders),
    ("/api/v1/transferred-tickets/{id}", Proof::InHeaders),
    ("/checkout/{id}", Proof::InHeaders),
    ("/orders/{id}", Proof::InHeaders),
    ("/tickets/{id}", Proof::InHeaders),
    ("/api/v1/orders", Proof::Inside),
    ("/api/v1/webhooks/", Proof::Inside),
    ("/o/{id}", Proof::Inside),
    ("/t/{id}", Proof::Inside),
    ("/pay/sandbox/", Proof::Inside),
];

#[derive(Clone, Copy)]
enum Proof {
    /// A bearer token or a cookie.
    InHeaders,
    /// In the path or in the body.
    Inside,
}

impl Lanes {
    /// So many requests at once, and so many more of those with tickets.
    pub fn new(everybody: usize, reserved: usize) -> Self {
        Self {
            everybody: Admission::new(everybody),
            reserved: Admission::new(reserved),
        }
    }

    /// A place, held as long as the result lives; `OVERLOADED` if there is none soon.
    pub async fn enter(&self, has_tickets: bool) -> Result<OwnedSemaphorePermit, Failure> {
        if !has_tickets {
            return self.everybody.enter().await;
        }
        match self.everybody.enter_at_once() {
            Some(place) => Ok(place),
            None => self.reserved.enter().await,
        }
    }
}

/// Whoever opens links that lead nowhere waits with everybody.
pub fn has_tickets(app: &App, request: &Request) -> bool {
    let (route, headers) = (route_of(request), request.headers());
    let Some((_, proof)) = RESERVED.iter().find(|(start, _)| route.starts_with(start)) else {
        return false;
    };
    let in_headers =
        headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::COOKIE);
    if matches!(proof, Proof::InHeaders) && !in_headers {
        return false;
    }
    let network = app.proxies.network(request.extensions(), headers);
    app.guesses.check(&network, Instant::now()).is_ok()
}
