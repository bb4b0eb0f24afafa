//! Every order has one receipt, whatever happens to the broker and to notify-svc while they are sold.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;
use proto::Peer;
use reqwest::StatusCode;
use serde_json::Value;
use testkit::{StoreSnapshot, eventually, keys::idempotency_key};

use crate::{
    guest::Answer,
    harness::{BoxOffice, OnSale, PATIENCE},
};

const ROUNDS: usize = 20;
const ORDERS_PER_ROUND: usize = 10;
const ORDERS: usize = ROUNDS * ORDERS_PER_ROUND;
/// Decides what happens, and is told when the test fails.
const SEED: u64 = 20_310_612;

#[derive(Clone, Copy, Debug)]
enum Fire {
    StopNats,
    KillNats,
    WipeNats,
    RollNatsBack,
    DeleteStream,
    DeleteConsumer,
    StopNotify,
}

const FIRES: [Fire; 7] = [
    Fire::StopNats,
    Fire::KillNats,
    Fire::WipeNats,
    Fire::RollNatsBack,
    Fire::DeleteStream,
    Fire::DeleteConsumer,
    Fire::StopNotify,
];

#[tokio::test]
async fn two_hundred_orders_have_one_receipt_each() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(ORDERS as i64, 0).await;
    let mut place = Place {
        office: &office,
        nats_runs: true,
        notify_runs: true,
        backup: None,
    };
    let (mut dice, mut deck) = (Dice(SEED), Vec::new());
    for round in 0..ROUNDS {
        // Each of them comes before one comes again.
        if deck.is_empty() {
            deck.extend(FIRES);
        }
        let fire = deck.swap_remove(dice.roll(deck.len()));
        // What was stopped is back at once, or only after a round or more.
        let lasts = dice.roll(3) == 0;
        println!("seed {SEED}, round {round}: {fire:?}, lasting: {lasts}");
        let numbers = (0..ORDERS_PER_ROUND).map(|number| round * ORDERS_PER_ROUND + number);
        let sales = join_all(numbers.map(|number| sell(&office, &on_sale, number)));
        let happens = async {
            place.set(fire).await;
            if !lasts {
                place.repair().await;
            }
        };
        tokio::join!(sales, happens);
    }
    place.repair().await;
    all_confirmed(&office).await;
    one_mail_each(&office).await;
    office.close().await;
}

/// A free ticket, so that the provider is no part of it.
async fn sell(office: &BoxOffice, on_sale: &OnSale, number: usize) {
    let (guest, address) = (office.guest(), address(number));
    let (hold_key, order_key) = (idempotency_key(), idempotency_key());
    let hold = made(async || guest.hold_with(on_sale, 1, &hold_key).await).await;
    let order = made(async || guest.order_with(&hold, &address, &order_key).await).await;
    guest.wait_for(&order, "fulfilled").await;
}

/// As a guest does: too busy means again, with the same key.
async fn made(ask: impl AsyncFn() -> Answer) -> Value {
    eventually("a place at the counter", PATIENCE, async || {
        let (status, body) = ask().await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        assert_eq!(status, StatusCode::CREATED, "{body}");
        Some(body)
    })
    .await
}

fn address(number: usize) -> String {
    format!("guest{number:03}@example.org")
}

/// What can burn.
struct Place<'a> {
    office: &'a BoxOffice,
    nats_runs: bool,
    notify_runs: bool,
    backup: Option<StoreSnapshot>,
}

impl Place<'_> {
    async fn set(&mut self, fire: Fire) {
        match fire {
            Fire::StopNats => self.nats_down().await,
            Fire::KillNats => {
                if std::mem::take(&mut self.nats_runs) {
                    self.office.nats.kill().await;
                }
            }
            Fire::WipeNats => {
                self.nats_down().await;
                self.office.nats.wipe().await;
            }
            Fire::RollNatsBack => self.roll_back().await,
            Fire::DeleteStream => self.ask_nats("$JS.API.STREAM.DELETE.BOXOFFICE").await,
            Fire::DeleteConsumer => {
                self.ask_nats("$JS.API.CONSUMER.DELETE.BOXOFFICE.notify-svc")
                    .await;
            }
            Fire::StopNotify => {
                if std::mem::take(&mut self.notify_runs) {
                    self.office
                        .mesh
                        .lock()
                        .await
                        .stop_member(Peer::Notify)
                        .await
                        .unwrap();
                }
            }
        }
    }

    async fn nats_down(&mut self) {
        if std::mem::take(&mut self.nats_runs) {
            self.office.nats.stop().await;
        }
    }

    /// To what it was the time before.
    async fn roll_back(&mut self) {
        // A store that was wiped is there again once the server was.
        self.nats_up().await;
        self.nats_down().await;
        let nats = &self.office.nats;
        let now = nats.snapshot().await;
        if let Some(backup) = self.backup.replace(now) {
            nats.rollback(&backup).await;
        }
    }

    async fn ask_nats(&self, subject: &'static str) {
        if self.nats_runs {
            let client = self.office.nats.client().await;
            // It may be gone already.
            let _ = client.request(subject, "".into()).await;
        }
    }

    async fn nats_up(&mut self) {
        if !std::mem::replace(&mut self.nats_runs, true) {
            self.office.nats.start().await;
        }
    }

    async fn repair(&mut self) {
        self.nats_up().await;
        if !std::mem::replace(&mut self.notify_runs, true) {
            self.office
                .mesh
                .lock()
                .await
                .start_member(Peer::Notify)
                .await
                .unwrap();
        }
    }
}

/// The minutes in which open rows would come due by themselves are not waited for.
async fn all_confirmed(office: &BoxOffice) {
    let payments = office.databases.payments.pool().await;
    for _ in 0..3 {
        office
            .databases
            .payments
            .make_due("outbox", "next_attempt_at")
            .await;
        let some_time = Instant::now() + Duration::from_secs(5);
        let open = eventually("the outbox is empty", PATIENCE, async || {
            let open = "SELECT count(*) FROM outbox WHERE confirmed_at IS NULL";
            let open: i64 = sqlx::query_scalar(open).fetch_one(&payments).await.unwrap();
            (open == 0 || Instant::now() > some_time).then_some(open)
        })
        .await;
        if open == 0 {
            return;
        }
        println!("{open} messages are not confirmed yet");
    }
    panic!("messages are still not confirmed");
}

async fn one_mail_each(office: &BoxOffice) {
    let mails = office.smtp.wait_for(ORDERS, PATIENCE * 2).await;
    let mut received: BTreeMap<String, usize> = BTreeMap::new();
    for to in mails.into_iter().flat_map(|mail| mail.to) {
        *received.entry(to).or_default() += 1;
    }
    let expected: BTreeMap<String, usize> = (0..ORDERS).map(|n| (address(n), 1)).collect();
    assert_eq!(received, expected);
}

/// The same numbers for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}
