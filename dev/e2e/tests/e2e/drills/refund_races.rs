//! Many admins refund parts of the same orders at once: never more than was paid goes back.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{eventually, keys::idempotency_key};

use super::{
    LONG, address, count, each, ledgers_agree, ordered, pay, size, until_count, until_settled,
};
use crate::{guest::CARD_OK, harness::BoxOffice};

const ORDERS: usize = 500;
const REFUNDS_AT_ONCE: usize = 64;
const PRICE_MINOR: i64 = 4500;
const PART_MINOR: i64 = 100;
/// So many of them fit: PRICE_MINOR / PART_MINOR.
const FITTING: usize = 45;

#[tokio::test]
async fn partial_refunds_at_once_never_exceed_the_payment() {
    let office = BoxOffice::open().await;
    let orders = size(ORDERS);
    let on_sale = office.put_on_sale(orders as i64, PRICE_MINOR).await;
    let placed = each(orders, async |number| {
        let guest = office.guest();
        let order = ordered(&guest, &on_sale, &address(number)).await;
        pay(&guest, &order, CARD_OK).await;
        order["id"].as_str().unwrap().to_owned()
    })
    .await;
    let pool = office.databases.payments.pool().await;
    let fulfilled = "SELECT count(*) FROM orders WHERE status = 'fulfilled'";
    until_count(&pool, "fulfilled", fulfilled, orders).await;

    for id in &placed {
        let path = format!("/api/v1/admin/orders/{id}/refunds");
        let body = json!({
            "amount": {"amount_minor": PART_MINOR, "currency": "EUR"},
            "reason": "The sound was bad.",
        });
        let refunds = (0..REFUNDS_AT_ONCE).map(|_| fits(&office, &path, &body));
        let made = join_all(refunds).await.into_iter().filter(|fits| *fits);
        assert_eq!(made.count(), FITTING, "refunds of order {id}");
    }
    let over = "SELECT count(*) FROM payment_attempts WHERE refunded_minor > captured_minor";
    assert_eq!(count(&pool, over).await, 0);
    let open = "SELECT count(*) FROM refunds WHERE status NOT IN ('succeeded', 'external')";
    until_settled(&office, "refunds under way", open).await;
    let refunds = count(&pool, "SELECT count(*) FROM refunds").await;
    println!("{refunds} of {} refunds fitted", orders * REFUNDS_AT_ONCE);
    assert_eq!(refunds, (orders * FITTING) as i64);
    let sent = "SELECT count(*) FROM sandbox.ledger WHERE amount_minor < 0";
    assert_eq!(count(&pool, sent).await, refunds);
    ledgers_agree(&pool).await;
    office
        .smtp
        .wait_for(orders + usize::try_from(refunds).unwrap(), LONG)
        .await;
    office.close().await;
}

/// Whether the refund was made. Where there is no room for it, it is asked for again with its key.
async fn fits(office: &BoxOffice, path: &str, body: &Value) -> bool {
    let key = idempotency_key();
    eventually("an answer about the refund", LONG, async || {
        let (status, answer) = office.admin_post_with(path, body, &key).await;
        match status {
            StatusCode::SERVICE_UNAVAILABLE => None,
            StatusCode::CREATED => Some(true),
            _ => {
                assert_eq!(answer["reason"], "REFUND_TOO_LARGE", "{status} {answer}");
                Some(false)
            }
        }
    })
    .await
}
