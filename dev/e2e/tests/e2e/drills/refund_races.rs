//! Many admins refund parts of the same orders at once: never more than was paid goes back.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use super::{
    LONG, address, count, each, ledgers_agree, ordered, pay, size, until_count, until_settled,
};
use crate::{guest::CARD_OK, harness::BoxOffice};

const ORDERS: usize = 500;
const REFUNDS_AT_ONCE: usize = 64;
const PRICE_MINOR: i64 = 4500;
/// 45 of them fit.
const PART_MINOR: i64 = 100;
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
        let refunds = (0..REFUNDS_AT_ONCE).map(|_| office.admin_post(&path, &body));
        for (status, body) in join_all(refunds).await {
            let fits = status == StatusCode::CREATED;
            let refused = body["reason"] == "REFUND_TOO_LARGE";
            let busy = status == StatusCode::SERVICE_UNAVAILABLE;
            assert!(fits || refused || busy, "{status} {body}");
        }
    }
    let over = "SELECT count(*) FROM payment_attempts WHERE refunded_minor > captured_minor";
    assert_eq!(count(&pool, over).await, 0);
    let open = "SELECT count(*) FROM refunds WHERE status NOT IN ('succeeded', 'external')";
    until_settled(&office, "refunds under way", open).await;
    let refunds = count(&pool, "SELECT count(*) FROM refunds").await;
    println!("{refunds} of {} refunds fitted", orders * REFUNDS_AT_ONCE);
    assert!(refunds <= (orders * FITTING) as i64);
    let sent = "SELECT count(*) FROM sandbox.ledger WHERE amount_minor < 0";
    assert_eq!(count(&pool, sent).await, refunds);
    ledgers_agree(&pool).await;
    office
        .smtp
        .wait_for(orders + usize::try_from(refunds).unwrap(), LONG)
        .await;
    office.close().await;
}
