//! Purchases by Stripe: pages, declines, slow and broken answers, the end of the time to pay.

use std::time::Duration;

use kit::ErrorReason;
use proto::payment::{AttemptStatus, Order, OrderStatus};
use testkit::{
    StripeServer, eventually, keys,
    stripe::{Delivery, Fault, SECRET_KEY, WEBHOOK_SECRET},
};

use crate::world::{Placed, World, failure, reference};

const CREATE: &str = "POST /v1/checkout/sessions";
const EXPIRE: &str = "POST /v1/checkout/sessions/{id}/expire";
/// The one after `WEBHOOK_SECRET`.
pub const NEXT_SECRET: &str = "whsec_zyxwvutsrqponmlkjihgfedcba";
pub const LOST: Delivery = Delivery {
    delay: Duration::ZERO,
    copies: 0,
    hold: false,
};

/// A payment-svc that takes money by Stripe.
pub struct Shop {
    pub world: World,
    pub stripe: StripeServer,
}

impl Shop {
    pub async fn open() -> Self {
        Self::with_secrets(&format!("{NEXT_SECRET},{WEBHOOK_SECRET}")).await
    }

    pub async fn with_secrets(secrets: &str) -> Self {
        let stripe = StripeServer::start().await;
        let settings = [
            ("--payment-providers", "stripe"),
            ("--stripe-secret-key", SECRET_KEY),
            ("--stripe-webhook-secret", secrets),
            ("--stripe-api-base", &stripe.url()),
        ];
        let world = World::start_with(&settings).await;
        stripe.deliver_to(&world.hook.url());
        Self { world, stripe }
    }

    /// The order once it has a page to pay on.
    pub async fn with_page(&self, placed: &Placed) -> Order {
        eventually("a page to pay on", Duration::from_secs(60), || async {
            self.world.hurry().await;
            let order = self.world.order(placed, false).await;
            let payment = order.payment.as_ref();
            let has_page = payment.is_some_and(|payment| !payment.checkout_url.is_empty());
            has_page.then_some(order)
        })
        .await
    }

    /// Ends the test: Stripe's books and ours are the same, and what must always hold does.
    pub async fn close(self) {
        let mut theirs: Vec<(String, String, i64, i64)> = self
            .stripe
            .ledger()
            .into_iter()
            .filter(|entry| entry.captured > 0)
            .map(|entry| (entry.session, entry.intent, entry.captured, entry.refunded))
            .collect();
        let mut ours: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT provider_ref, capture_ref, captured_minor,
                 (SELECT coalesce(sum(r.amount_minor), 0)::bigint FROM refunds r
                  WHERE r.attempt_id = a.id AND r.status IN ('succeeded', 'external'))
             FROM payment_attempts a WHERE captured_minor > 0",
        )
        .fetch_all(&self.world.pool)
        .await
        .unwrap();
        theirs.sort();
        ours.sort();
        assert_eq!(ours, theirs);
        Box::pin(self.world.end()).await;
    }
}

#[tokio::test]
async fn paid_on_stripe_s_page() {
    let shop = Shop::open().await;
    let placed = shop.world.placed().await;
    let payment = placed.order.payment.clone().unwrap();
    assert!(
        payment
            .checkout_url
            .starts_with("https://checkout.stripe.com/")
    );
    shop.stripe.pay(&payment.payment_ref).unwrap();
    let order = shop.world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(order.tickets.len(), 2);
    assert_eq!(shop.stripe.ledger().len(), 1);
    shop.close().await;
}

#[tokio::test]
async fn after_a_decline_a_second_session_pays() {
    let shop = Shop::open().await;
    let placed = shop.world.placed().await;
    let first = reference(&placed.order);
    shop.stripe.decline(&first).unwrap();
    let key = keys::idempotency_key();
    let second = shop.world.start_payment(&placed, &key).await.unwrap();
    let second = reference(&second.order.unwrap());
    assert_ne!(second, first);
    // Two tabs: the page of the first one takes no card any more.
    assert!(shop.stripe.pay(&first).is_err());
    shop.stripe.pay(&second).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(shop.stripe.ledger().len(), 2);
    shop.close().await;
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    let shop = Shop::open().await;
    let slow = Fault::Slow(Duration::from_millis(2400));
    shop.stripe.fault_next(CREATE, slow, 1);
    let placed = shop.world.placed().await;
    shop.stripe.pay(&reference(&placed.order)).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(shop.stripe.ledger().len(), 1);
    shop.close().await;
}

#[tokio::test]
async fn a_very_slow_answer_is_not_and_the_page_comes_later() {
    let shop = Shop::open().await;
    shop.stripe
        .fault_next(CREATE, Fault::Slow(Duration::from_secs(6)), 1);
    let answer = shop.world.place(shop.world.wish()).await.unwrap();
    assert!(answer.preparing);
    let placed = Placed::from(answer);
    let order = shop.with_page(&placed).await;
    shop.stripe.pay(&reference(&order)).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(shop.stripe.ledger().len(), 1);
    shop.close().await;
}

#[tokio::test]
async fn refused_for_now_broken_and_cut_it_is_one_session() {
    for (fault, times) in [
        (Fault::TooMany(1), 4),
        (Fault::Fails(500), 2),
        (Fault::Fails(503), 1),
        (Fault::Cut, 2),
    ] {
        let shop = Shop::open().await;
        shop.stripe.fault_next(CREATE, fault, times);
        let placed = Placed::from(shop.world.place(shop.world.wish()).await.unwrap());
        let order = shop.with_page(&placed).await;
        assert!(shop.stripe.calls(CREATE) > times, "{fault:?}");
        let ledger = shop.stripe.ledger();
        assert_eq!(ledger.len(), 1, "{fault:?}");
        assert_eq!(ledger[0].session, reference(&order));
        shop.stripe.pay(&ledger[0].session).unwrap();
        shop.world.until(&placed, OrderStatus::Fulfilled).await;
        shop.close().await;
    }
}

#[tokio::test]
async fn killed_between_stripe_s_answer_and_the_row_it_is_one_session() {
    let mut shop = Shop::open().await;
    let placed = shop.world.placed().await;
    shop.world.crash();
    shop.world.sql("UPDATE payment_attempts SET provider_ref = NULL, checkout_url = NULL, status = 'created'").await;
    shop.world.restart().await;
    let order = shop.with_page(&placed).await;
    assert_eq!(reference(&order), reference(&placed.order));
    assert_eq!(shop.stripe.ledger().len(), 1);
    shop.stripe.pay(&reference(&order)).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    shop.close().await;
}

#[tokio::test]
async fn what_stripe_does_not_take_is_not_asked_for_again() {
    let shop = Shop::open().await;
    // Less than Stripe's least.
    let wish = shop.world.wish_for(1, 10);
    let answer = shop.world.place(wish).await.unwrap();
    assert!(!answer.preparing);
    let placed = Placed::from(answer);
    let order = shop.world.order(&placed, false).await;
    assert_eq!(order.status(), OrderStatus::AwaitingPayment);
    assert_eq!(order.payment.unwrap().status(), AttemptStatus::Failed);
    assert_eq!(shop.stripe.calls(CREATE), 1);
    shop.world.cancel(&placed).await.unwrap();
    assert_eq!(shop.stripe.calls(CREATE), 1);
    shop.close().await;
}

#[tokio::test]
async fn the_end_of_the_time_closes_the_session() {
    let shop = Shop::open().await;
    shop.world.tickets.books().mood.pay_secs = 1;
    // Done, and nobody hears of it: neither by the answer nor by an event.
    shop.stripe.delivery(LOST);
    shop.stripe.fault_next(EXPIRE, Fault::Cut, 1);
    let placed = shop.world.placed().await;
    shop.world.until(&placed, OrderStatus::Expired).await;
    let entry = &shop.stripe.ledger()[0];
    assert_eq!(entry.status, "expired");
    assert!(shop.stripe.pay(&entry.session).is_err());
    shop.close().await;
}

#[tokio::test]
async fn a_session_that_stripe_ended_by_itself_makes_room() {
    let shop = Shop::open().await;
    let placed = shop.world.placed().await;
    shop.stripe.lapse(&reference(&placed.order)).unwrap();
    eventually("the attempt has ended", Duration::from_secs(60), || async {
        let order = shop.world.order(&placed, false).await;
        (order.payment.unwrap().status() == AttemptStatus::Cancelled).then_some(())
    })
    .await;
    let key = keys::idempotency_key();
    let second = shop.world.start_payment(&placed, &key).await.unwrap();
    shop.stripe.pay(&reference(&second.order.unwrap())).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    shop.close().await;
}

/// Whoever could pay has tickets, whoever could not has an expired order.
#[tokio::test]
async fn paid_at_the_moment_of_expiry() {
    let shop = Shop::open().await;
    shop.stripe.delivery(LOST);
    shop.world.tickets.books().mood.pay_secs = 2;
    let mut orders = Vec::new();
    for _ in 0..12 {
        orders.push(shop.world.placed().await);
    }
    let pay = async |number: u64, placed: &Placed| {
        // Sleeps: the guests pay one after the other, around the end of the time.
        tokio::time::sleep(Duration::from_millis(1200 + 150 * number)).await;
        shop.stripe.pay(&reference(&placed.order)).is_ok()
    };
    let numbered = (0..).zip(&orders);
    let paid = futures::future::join_all(numbered.map(|(n, placed)| pay(n, placed))).await;
    for (placed, paid) in orders.iter().zip(&paid) {
        let expected = match paid {
            true => OrderStatus::Fulfilled,
            false => OrderStatus::Expired,
        };
        shop.world.until(placed, expected).await;
    }
    assert!(paid.contains(&true) && paid.contains(&false), "{paid:?}");
    shop.close().await;
}

#[tokio::test]
async fn a_payment_that_settles_later_is_waited_for() {
    let shop = Shop::open().await;
    let placed = shop.world.placed().await;
    let first = reference(&placed.order);
    shop.stripe.pay_later(&first).unwrap();
    shop.world.until(&placed, OrderStatus::Processing).await;
    let key = keys::idempotency_key();
    let second = shop.world.start_payment(&placed, &key).await;
    assert_eq!(failure(second).reason, ErrorReason::PaymentInProgress);
    shop.stripe.settle(&first, false).unwrap();
    shop.world
        .until(&placed, OrderStatus::AwaitingPayment)
        .await;
    let second = shop.world.start_payment(&placed, &key).await.unwrap();
    let second = reference(&second.order.unwrap());
    shop.stripe.pay_later(&second).unwrap();
    shop.world.until(&placed, OrderStatus::Processing).await;
    shop.stripe.settle(&second, true).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    shop.close().await;
}

#[tokio::test]
async fn another_amount_is_quarantined() {
    let shop = Shop::open().await;
    let placed = shop.world.placed().await;
    let session = reference(&placed.order);
    shop.stripe.tamper(&session, 100);
    shop.stripe.pay(&session).unwrap();
    shop.world.until(&placed, OrderStatus::Mismatch).await;
    // The event alone stops the order; what came is asked for afterwards.
    eventually(
        "the money in our books",
        Duration::from_secs(60),
        || async {
            let captured: i64 =
                sqlx::query_scalar("SELECT sum(captured_minor)::bigint FROM payment_attempts")
                    .fetch_one(&shop.world.pool)
                    .await
                    .unwrap();
            (captured == 100).then_some(())
        },
    )
    .await;
    assert_eq!(shop.world.tickets.books().commits, 0);
    shop.close().await;
}
