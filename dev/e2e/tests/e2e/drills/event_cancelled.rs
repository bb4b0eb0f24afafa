//! An event is cancelled while its tickets are being paid: each payment is refunded, or was never taken.

use reqwest::StatusCode;
use serde_json::json;
use testkit::{eventually, keys::idempotency_key};

use super::{LONG, address, count, each, ledgers_agree, size, until_count};
use crate::{
    guest::CARD_OK,
    harness::{BoxOffice, OnSale},
};

const PAYMENTS: usize = 500;
/// With fewer there is no middle.
const MIDST: usize = 24;

const CAPTURED: &str = "SELECT count(*) FROM payment_attempts WHERE captured_minor > 0";

#[tokio::test]
async fn a_cancelled_event_keeps_no_money() {
    let office = BoxOffice::open().await;
    let guests = size(PAYMENTS).max(MIDST);
    let on_sale = office.put_on_sale(guests as i64, 4500).await;
    let path = format!("/api/v1/admin/events/{}", on_sale.event_id);
    let pool = office.databases.payments.pool().await;
    let buys = each(guests, async |number| buy(&office, &on_sale, number).await);
    let cancels = async {
        eventually("some to have paid", LONG, async || {
            let paid = count(&pool, CAPTURED).await;
            (paid >= (guests / 4) as i64).then_some(())
        })
        .await;
        let reason = json!({"reason": "The singer has lost her voice."});
        eventually("the event to be cancelled", LONG, async || {
            let (status, body) = office.admin_post(&format!("{path}/cancel"), &reason).await;
            let busy = status == StatusCode::SERVICE_UNAVAILABLE;
            assert!(busy || status == StatusCode::OK, "{body}");
            (!busy).then_some(())
        })
        .await;
    };
    tokio::join!(buys, cancels);

    let progress = eventually("every order to have ended", LONG, async || {
        let (status, progress) = office.admin_get(&format!("{path}/refund")).await;
        (status == StatusCode::OK && !progress["finished_at"].is_null()).then_some(progress)
    })
    .await;
    println!("cancelled event: {progress}");
    let kept = "
        SELECT count(*) FROM payment_attempts a
        WHERE captured_minor > (SELECT coalesce(sum(amount_minor), 0) FROM refunds r
                                WHERE r.attempt_id = a.id AND r.status = 'succeeded')";
    until_count(&pool, "money kept", kept, 0).await;
    let ended = "
        SELECT count(*) FROM orders
        WHERE status NOT IN ('refunded', 'cancelled', 'expired')";
    // An order that was never bound ends a minute after it was placed.
    until_count(&pool, "orders to end", ended, 0).await;
    ledgers_agree(&pool).await;
    office.close().await;
}

/// Whoever comes too late is told so at one step or another, and leaves.
async fn buy(office: &BoxOffice, on_sale: &OnSale, number: usize) {
    let guest = office.guest();
    let (status, hold) = guest.hold(on_sale, 1).await;
    if status != StatusCode::CREATED {
        return;
    }
    let email = address(number);
    let (status, order) = guest.order_with(&hold, &email, &idempotency_key()).await;
    if status != StatusCode::CREATED {
        return;
    }
    let (_, now) = guest.see(&order).await;
    if let Some(page) = now["payment"]["checkout_url"].as_str() {
        guest.submit_card(page, CARD_OK).await;
    }
}
