//! Every request of a purchase is sent five times at once: the provider takes the money once.

use futures::future::join_all;
use proto::Peer;
use reqwest::StatusCode;
use serde_json::Value;
use testkit::{NatsServer, eventually, keys::idempotency_key};

use super::{LONG, address, count, each, ledgers_agree, page_of, size, until_count};
use crate::{
    guest::{Answer, CARD_OK},
    harness::BoxOffice,
};

const PAYMENTS: usize = 10_000;
const COPIES: usize = 5;

#[tokio::test]
async fn five_copies_of_each_payment_take_the_money_once() {
    let faults = "duplicate=1".to_owned();
    let settings = [(Peer::Payment, "sandbox-webhook-faults", faults)];
    let office = BoxOffice::open_with(NatsServer::start_private().await, &settings).await;
    let payments = size(PAYMENTS);
    let on_sale = office.put_on_sale(payments as i64, 4500).await;
    each(payments, async |number| {
        let guest = office.guest();
        let (hold_key, order_key) = (idempotency_key(), idempotency_key());
        let hold = one_of(async || guest.hold_with(&on_sale, 1, &hold_key).await).await;
        let email = address(number);
        let order = one_of(async || guest.order_with(&hold, &email, &order_key).await).await;
        let page = page_of(&guest, &order).await;
        eventually("a card to be taken", LONG, async || {
            let cards = (0..COPIES).map(|_| guest.submit_card(&page, CARD_OK));
            let taken = join_all(cards).await;
            taken.contains(&StatusCode::SEE_OTHER).then_some(())
        })
        .await;
    })
    .await;
    let pool = office.databases.payments.pool().await;
    let fulfilled = "SELECT count(*) FROM orders WHERE status = 'fulfilled'";
    until_count(&pool, "fulfilled", fulfilled, payments).await;
    let charges = "SELECT count(*) FROM sandbox.ledger WHERE amount_minor > 0";
    assert_eq!(count(&pool, charges).await, payments as i64);
    let orders = "SELECT count(*) FROM orders";
    assert_eq!(count(&pool, orders).await, payments as i64);
    ledgers_agree(&pool).await;
    office.smtp.wait_for(payments, LONG).await;
    office.close().await;
}

/// Copies at once; those that are answered say the same.
async fn one_of(ask: impl AsyncFn() -> Answer) -> Value {
    eventually("an answer to one of the copies", LONG, async || {
        let answers = join_all((0..COPIES).map(|_| ask())).await;
        let made: Vec<Value> = answers
            .into_iter()
            .filter(|(status, _)| *status == StatusCode::CREATED)
            .map(|(_, body)| body)
            .collect();
        for other in &made {
            assert_eq!(other["id"], made[0]["id"]);
        }
        made.into_iter().next()
    })
    .await
}
