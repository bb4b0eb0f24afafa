//! Money that goes back by Stripe: once, visibly, and also when somebody else sent it.

use std::time::Duration;

use proto::payment::OrderStatus;
use testkit::{
    eventually,
    stripe::{Delivery, Fault, RefundFate},
};

use crate::{
    stripe::{LOST, Shop},
    till::everything,
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
    eventually(status, Duration::from_secs(60), || async {
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
    let made = eventually("the refund", Duration::from_secs(60), || async {
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
        let made = eventually("the refund", Duration::from_secs(60), || async {
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
async fn a_refund_that_lacks_funds_is_tried_again_by_another_key() {
    for fate in [RefundFate::LacksFunds, RefundFate::IsRefused] {
        let shop = Shop::open().await;
        shop.stripe.refunds_become(fate);
        let placed = paid_in_vain(&shop).await;
        until_refund(&shop, "failed").await;
        shop.stripe.refunds_become(RefundFate::Succeeds);
        until_refund(&shop, "succeeded").await;
        shop.world.until(&placed, OrderStatus::Refunded).await;
        assert!(!needs_attention(&shop).await);
        assert_eq!(shop.stripe.ledger()[0].refunded, 9000);
        shop.close().await;
    }
}

/// What the provider took back is with nobody until a person pays it out: the order says so, and is
/// told to its guest once.
#[tokio::test]
async fn a_refund_that_comes_back_is_put_before_a_person() {
    let shop = Shop::open().await;
    let placed = shop.world.placed().await;
    shop.stripe.pay(&reference(&placed.order)).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    let refund = shop.world.refund(everything(&placed)).await.unwrap();
    shop.world.until(&placed, OrderStatus::Refunded).await;
    shop.stripe
        .refund_comes_back(&shop.stripe.refunds()[0])
        .unwrap();
    until_refund(&shop, "failed_final").await;
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    let why = shop.world.attention(&placed).await.unwrap();
    assert!(why.contains("took it back (declined). Pay it out"), "{why}");
    let books = "SELECT count(*) FROM (SELECT FROM account_entries WHERE entry = 'sale'
                 GROUP BY account HAVING count(*) <> 1) twice";
    assert_eq!(shop.world.count(books).await, 0);
    let payable = "SELECT coalesce(sum(amount_minor), 0)::bigint FROM account_entries
                   WHERE account IN ('refunds_payable', 'guest')";
    assert_eq!(shop.world.count(payable).await, 0);
    let counted = "SELECT sum(refunded_minor)::bigint FROM payment_attempts";
    assert_eq!(shop.world.count(counted).await, 0);
    shop.world.settle(&refund).await.unwrap();
    shop.world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(shop.world.attention(&placed).await, None);
    assert_eq!(shop.world.told(&placed).await.len(), 1);
    // Its old name at the provider says nothing of what a person paid out.
    let mut world = shop.world;
    world.crash();
    world.restart().await;
    let verified = world.count("SELECT count(*) FROM refunds WHERE provider_ref IS NULL");
    assert_eq!(verified.await, 1);
    world.until(&placed, OrderStatus::Refunded).await;
    world.end().await;
}

/// Ours is refused, and somebody had another amount sent back: both are heard of at once.
#[tokio::test]
async fn what_failed_makes_room_for_what_was_sent_back_instead() {
    let shop = Shop::open().await;
    let placed = shop.world.placed().await;
    let session = reference(&placed.order);
    shop.stripe.pay(&session).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    shop.stripe.refunds_become(RefundFate::StaysPending);
    shop.world.refund(everything(&placed)).await.unwrap();
    let made = eventually("the refund", Duration::from_secs(60), || async {
        let waits = "SELECT count(*) FROM refunds WHERE provider_ref IS NOT NULL";
        let made = shop.stripe.refunds().pop()?;
        (shop.world.count(waits).await == 1).then_some(made)
    })
    .await;
    shop.stripe.delivery(LOST);
    shop.stripe.settle_refund(&made, false).unwrap();
    shop.stripe.delivery(Delivery { copies: 1, ..LOST });
    shop.stripe.refunds_become(RefundFate::Succeeds);
    shop.stripe.refund_in_dashboard(&session, 4000).unwrap();
    let order = shop.world.until(&placed, OrderStatus::PartiallyRefunded);
    assert_eq!(order.await.refunds.len(), 2);
    let why = shop.world.attention(&placed).await.unwrap();
    assert!(
        why.starts_with("A part of the money was sent back"),
        "{why}"
    );
    shop.close().await;
}

#[tokio::test]
async fn an_external_refund_that_comes_back_is_found_in_the_books() {
    let mut shop = Shop::open().await;
    let placed = shop.world.placed().await;
    let session = reference(&placed.order);
    shop.stripe.pay(&session).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    let made = shop.stripe.refund_in_dashboard(&session, 9000).unwrap();
    shop.world.until(&placed, OrderStatus::Refunded).await;
    shop.stripe.delivery(LOST);
    shop.stripe.refund_comes_back(&made).unwrap();
    shop.world.crash();
    shop.world.restart().await;
    until_refund(&shop, "failed_final").await;
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    assert!(needs_attention(&shop).await);
    shop.close().await;
}

/// Each page of the books may take its time; all of them may take longer than one call.
#[tokio::test]
async fn the_books_are_read_to_their_end() {
    let mut shop = Shop::open().await;
    let placed = shop.world.placed().await;
    let session = reference(&placed.order);
    shop.stripe.pay(&session).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    shop.stripe.delivery(LOST);
    shop.world.crash();
    for _ in 0..101 {
        shop.stripe.refund_in_dashboard(&session, 10).unwrap();
    }
    let pages = shop.stripe.calls("GET /v1/refunds");
    let slow = Fault::Slow(Duration::from_secs(8));
    shop.stripe.fault_next("GET /v1/refunds", slow, 2);
    shop.world.restart().await;
    eventually("all of them", Duration::from_secs(90), || async {
        let noticed = "SELECT count(*) FROM refunds WHERE status = 'external'";
        (shop.world.count(noticed).await == 101).then_some(())
    })
    .await;
    assert_eq!(shop.stripe.calls("GET /v1/refunds"), pages + 2);
    shop.close().await;
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
