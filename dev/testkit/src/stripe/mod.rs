//! A server that keeps Stripe's promises, as far as a shop needs them: Checkout Sessions, Refunds,
//! idempotency keys, signed events. It is told what the guest does on the page, what goes wrong on the
//! way, and keeps a ledger to compare with. Written after <https://docs.stripe.com/api>.

mod books;
mod hooks;
mod http;
mod idempotency;
mod refunds;
mod request;
mod sessions;
mod write;

use books::Books;
use hooks::Hooks;
use http::Faults;
use idempotency::Keys;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use books::{Entry, RefundFate};
pub use hooks::{Event, signature};

/// The account's key.
pub const SECRET_KEY: &str = "sk_test_0123456789abcdefghijklmn";
/// The webhook endpoint's secret until `sign_with`.
pub const WEBHOOK_SECRET: &str = "whsec_0123456789abcdefghijklmn";

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Done at once, answered so much later.
    Slow(Duration),
    /// 429 with `Retry-After` in seconds. Nothing is done.
    TooMany(u32),
    /// This status. Nothing is done.
    Fails(u16),
    /// Done, and answered with a 500, which the idempotency key keeps.
    FailsAfter,
    /// Done, and the connection ends without an answer.
    Cut,
}

/// How events travel.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    pub delay: Duration,
    /// Each is delivered so many times; 0 loses it.
    pub copies: usize,
    /// Kept until `release_newest_first`.
    pub hold: bool,
}

/// Listens on a free port of 127.0.0.1 until the value is dropped.
#[derive(Debug)]
pub struct StripeServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    serving: AbortHandle,
}

#[derive(Debug, Default)]
struct Shared {
    books: Mutex<Books>,
    keys: Mutex<Keys>,
    faults: Mutex<Faults>,
    /// How often each route was called.
    calls: Mutex<HashMap<String, usize>>,
    hooks: Hooks,
}

impl StripeServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port for Stripe");
        let addr = listener.local_addr().expect("the port of Stripe");
        let shared = Arc::new(Shared::default());
        let app = http::router(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            addr,
            shared,
            serving: serving.abort_handle(),
        }
    }

    /// As `STRIPE_API_BASE` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The next `times` calls of a route meet this fault. A route is written `POST /v1/refunds`,
    /// `POST /v1/checkout/sessions/{id}/expire`.
    pub fn fault_next(&self, route: &str, fault: Fault, times: usize) {
        let faults = &mut *lock(&self.shared.faults);
        let planned = faults.entry(route.to_owned()).or_default();
        planned.extend(std::iter::repeat_n(fault, times));
    }

    /// How often a route was called, whatever came of it.
    pub fn calls(&self, route: &str) -> usize {
        lock(&self.shared.calls)
            .get(route)
            .copied()
            .unwrap_or_default()
    }

    /// Where events go from now on. Before, they are lost.
    pub fn deliver_to(&self, url: &str) {
        self.shared.hooks.deliver_to(url);
    }

    pub fn delivery(&self, delivery: Delivery) {
        self.shared.hooks.delivery(delivery);
    }

    /// While a secret is rolled, events are signed with the old one and the new one.
    pub fn sign_with(&self, secrets: &[&str]) {
        self.shared.hooks.sign_with(secrets);
    }

    /// Every event so far, delivered or not, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.shared.hooks.events()
    }

    /// What was held goes out, each once its follower was taken.
    pub async fn release_newest_first(&self) {
        self.shared.hooks.release_newest_first().await;
    }

    /// The guest pays by card. The error is what the page says.
    pub fn pay(&self, session: &str) -> Result<(), String> {
        self.act(|books| books.pay(session))
    }

    /// The guest's card is declined; the page takes another one.
    pub fn decline(&self, session: &str) -> Result<(), String> {
        self.act(|books| books.decline(session))
    }

    /// The guest pays by a method that settles later.
    pub fn pay_later(&self, session: &str) -> Result<(), String> {
        self.act(|books| books.pay_later(session))
    }

    /// What became of a payment that settles later.
    pub fn settle(&self, session: &str, succeeded: bool) -> Result<(), String> {
        self.act(|books| books.settle(session, succeeded))
    }

    /// The time of the session is over.
    pub fn lapse(&self, session: &str) -> Result<(), String> {
        self.act(|books| books.lapse(session))
    }

    /// Another amount is on the page than was asked for.
    pub fn tamper(&self, session: &str, amount: i64) {
        lock(&self.shared.books).tamper(session, amount);
    }

    /// What becomes of refunds that are made from now on.
    pub fn refunds_become(&self, fate: RefundFate) {
        lock(&self.shared.books).fate = fate;
    }

    /// What became of a pending refund.
    pub fn settle_refund(&self, refund: &str, succeeded: bool) -> Result<(), String> {
        self.act(|books| books.settle_refund(refund, succeeded))
    }

    /// The guest's bank sends the money of a refund back.
    pub fn refund_comes_back(&self, refund: &str) -> Result<(), String> {
        self.act(|books| books.refund_comes_back(refund))
    }

    /// Somebody refunds in Stripe's dashboard. Answers the refund's id.
    pub fn refund_in_dashboard(&self, session: &str, amount: i64) -> Result<String, String> {
        self.act(|books| books.refund_in_dashboard(session, amount))
    }

    /// One entry per session, in the order they were made.
    pub fn ledger(&self) -> Vec<Entry> {
        lock(&self.shared.books).ledger()
    }

    /// The ids of all refunds, in the order they were made.
    pub fn refunds(&self) -> Vec<String> {
        lock(&self.shared.books).refund_ids()
    }

    fn act<T>(&self, act: impl FnOnce(&mut Books) -> Result<T, String>) -> Result<T, String> {
        let outcome = act(&mut lock(&self.shared.books));
        self.shared.emit();
        outcome
    }
}

impl Shared {
    /// Sends what the books have to say. A change of the books is followed by this.
    fn emit(&self) {
        let said = std::mem::take(&mut lock(&self.books).said);
        for (kind, object) in said {
            self.hooks.send(kind, &object);
        }
    }
}

impl Drop for StripeServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}
