//! The promises about money, each put to the test by many guests at once. `just drills` runs them at full size, every
//! build a small one.

mod copies;
mod event_cancelled;
mod failover;
mod fleet;
mod late_payments;
mod refund_races;
mod shop;
mod webhooks;

use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use reqwest::StatusCode;
use serde_json::Value;
use sqlx::PgPool;
use testkit::{eventually, keys::idempotency_key};

use crate::{
    guest::{Answer, Guest},
    harness::{BoxOffice, OnSale},
};

/// Guests who act at the same time.
const AT_ONCE: usize = 32;
/// A drill of full size takes minutes.
const LONG: Duration = Duration::from_secs(1200);
const SMALL_PART: usize = 200;
const SMALLEST: usize = 6;

/// So many where the promise says `full`; a part of them unless E2E_DRILLS is `full`.
pub fn size(full: usize) -> usize {
    match std::env::var("E2E_DRILLS").as_deref() {
        Ok("full") => full,
        _ => (full / SMALL_PART).max(SMALLEST),
    }
}

/// Does something for each number, some at once. In the order of the numbers.
async fn each<T>(count: usize, act: impl AsyncFn(usize) -> T) -> Vec<T> {
    let acts = (0..count).map(|number| act(number));
    stream::iter(acts).buffered(AT_ONCE).collect().await
}

fn address(number: usize) -> String {
    format!("guest{number:05}@example.org")
}

/// An order that waits for its payment. A guest who is told to come back does so, with the same key.
async fn ordered(guest: &Guest, on_sale: &OnSale, email: &str) -> Value {
    let (hold_key, order_key) = (idempotency_key(), idempotency_key());
    let hold = made(async || guest.hold_with(on_sale, 1, &hold_key).await).await;
    made(async || guest.order_with(&hold, email, &order_key).await).await
}

async fn made(ask: impl AsyncFn() -> Answer) -> Value {
    eventually("a place at the counter", LONG, async || {
        let (status, body) = ask().await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        assert_eq!(status, StatusCode::CREATED, "{body}");
        Some(body)
    })
    .await
}

/// Sends a card until the page has taken it.
async fn pay(guest: &Guest, order: &Value, card: &str) {
    let page = page_of(guest, order).await;
    eventually("the page to take the card", LONG, async || {
        let status = guest.submit_card(&page, card).await;
        (status == StatusCode::SEE_OTHER).then_some(())
    })
    .await;
}

/// Where to pay; the provider may be busy.
async fn page_of(guest: &Guest, order: &Value) -> String {
    eventually("a page to pay on", LONG, async || {
        let (_, now) = guest.see(order).await;
        now["payment"]["checkout_url"]
            .as_str()
            .map(ToOwned::to_owned)
    })
    .await
}

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Waits until the query counts so many.
async fn until_count(pool: &PgPool, what: &str, sql: &'static str, expected: usize) {
    let last = AtomicI64::new(-1);
    eventually(what, LONG, async || {
        let now = count(pool, sql).await;
        if last.swap(now, Ordering::Relaxed) != now {
            println!("{what}: {now} of {expected}");
        }
        (now == expected as i64).then_some(())
    })
    .await;
}

/// Lets what waits for its schedule go on, until nothing of it is left.
async fn until_settled(office: &BoxOffice, what: &str, open: &'static str) {
    let pool = office.databases.payments.pool().await;
    until_count(&pool, what, open, 0).await;
}

/// How long things took, shortest first.
struct Times(Vec<Duration>);

impl Times {
    /// `sql` answers seconds.
    async fn read(pool: &PgPool, sql: &'static str) -> Self {
        let secs: Vec<f64> = sqlx::query_scalar(sql).fetch_all(pool).await.unwrap();
        let mut times: Vec<Duration> = secs
            .into_iter()
            .map(|secs| Duration::from_secs_f64(secs.max(0.0)))
            .collect();
        times.sort_unstable();
        Self(times)
    }

    fn at(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let index = (last * percent).div_ceil(100);
        self.0.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99, max) = (self.at(50), self.at(99), self.at(100));
        let count = self.0.len();
        write!(f, "{count}: p50 {p50:.1?}, p99 {p99:.1?}, max {max:.1?}")
    }
}

/// Both sides of every payment and refund say the same; the doctor looks closer at the end of each drill.
async fn ledgers_agree(pool: &PgPool) {
    let differ = "
        SELECT count(*) FROM (
            SELECT (SELECT coalesce(sum(captured_minor - refunded_minor), 0) FROM payment_attempts
                    WHERE provider = 'sandbox') AS ours,
                   (SELECT coalesce(sum(amount_minor), 0) FROM sandbox.ledger) AS theirs) AS sums
        WHERE ours <> theirs";
    assert_eq!(count(pool, differ).await, 0, "the provider has other sums");
}
