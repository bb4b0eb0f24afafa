//! Money that goes back by Stripe: once, visibly, and also when somebody else sent it.

use std::time::Duration;

use proto::payment::OrderStatus;
use testkit::{
    eventually,
    stripe::{Fault, RefundFate},
};

use crate::{
    stripe::{LOST, Shop},
    world::{Placed, reference},
};

const REFUND: &str = "POST /v1/refunds";

/// Paid for tickets that are gone: all of it goes back by itself.
async fn paid_in_vain(shop: &Shop) -> Placed {
    shop.world.tickets.books().mood.sold_out = true;
    let placed = shop.world.placed().await;
    shop.stripe.pay(&reference(&placed.order)).unwrap();
    placed
}

async fn until_refund(shop: &Shop, status: &str) {
    eventually(status, Duration::from_secs(20), || async {
        shop.world
            .sql("UPDATE refunds SET next_step_at = clock_timestamp() WHERE next_step_at IS NOT NULL")
            .await;
        let found: Option<String> = sqlx::query_scalar("SELECT status FROM refunds")
            .fetch_optional(&shop.world.pool)
            .await
            .unwrap();
        (found.as_deref() == Some(status)).then_some(())
    })
    .await;
}

async fn needs_attention(shop: &Shop) -> bool {
    let query = "SELECT count(*) FROM orders WHERE needs_attention IS NOT NULL";
    shop.world.count(query).await == 1
}

#[tokio::test]
async fn all_of_it_goes_back() {
    let shop = Shop::open().await;
    let placed = paid_in_vain(&shop).await;
    shop.world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(shop.stripe.refunds().len(), 1);
    shop.close().await;
}

#[tokio::test]
async fn whatever_happens_to_the_answer_it_goes_back_once() {
    for fault in [
        Fault::Cut,
        Fault::FailsAfter,
        Fault::Fails(500),
        Fault::TooMany(1),
        Fault::Slow(Duration::from_millis(2400)),
    ] {
        let shop = Shop::open().await;
        shop.stripe.fault_next(REFUND, fault, 1);
        // No event tells what the answer did not.
        shop.stripe.delivery(LOST);
        let placed = paid_in_vain(&shop).await;
        shop.world.order(&placed, true).await;
        until_refund(&shop, "succeeded").await;
        assert_eq!(shop.stripe.refunds().len(), 1, "{fault:?}");
        shop.close().await;
    }
}

#[tokio::test]
async fn a_refund_that_waits_is_followed() {
    let shop = Shop::open().await;
    shop.stripe.refunds_become(RefundFate::StaysPending);
    let placed = paid_in_vain(&shop).await;
    until_refund(&shop, "submitted").await;
    let made = eventually("the refund", Duration::from_secs(10), || async {
        shop.stripe.refunds().pop()
    })
    .await;
    shop.stripe.settle_refund(&made, true).unwrap();
    shop.world.until(&placed, OrderStatus::Refunded).await;
    shop.close().await;
}

#[tokio::test]
async fn a_refund_that_fails_is_put_before_a_person() {
    for fate in [RefundFate::Fails, RefundFate::StaysPending] {
        let shop = Shop::open().await;
        shop.stripe.refunds_become(fate);
        let placed = paid_in_vain(&shop).await;
        let made = eventually("the refund", Duration::from_secs(10), || async {
            shop.stripe.refunds().pop()
        })
        .await;
        // A pending one fails later.
        let _ = shop.stripe.settle_refund(&made, false);
        until_refund(&shop, "failed_final").await;
        assert!(needs_attention(&shop).await);
        let status = shop.world.order(&placed, false).await.status();
        assert_eq!(status, OrderStatus::Unfulfillable);
        assert_eq!(shop.stripe.refunds().len(), 1);
        shop.close().await;
    }
}

#[tokio::test]
async fn a_refund_made_in_stripe_s_dashboard_is_noticed() {
    let shop = Shop::open().await;
    let placed = shop.world.placed().await;
    let session = reference(&placed.order);
    shop.stripe.pay(&session).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    shop.stripe.refund_in_dashboard(&session, 4500).unwrap();
    shop.world
        .until(&placed, OrderStatus::PartiallyRefunded)
        .await;
    until_refund(&shop, "external").await;
    assert!(needs_attention(&shop).await);
    shop.stripe.refund_in_dashboard(&session, 4500).unwrap();
    shop.world.until(&placed, OrderStatus::Refunded).await;
    shop.close().await;
}
