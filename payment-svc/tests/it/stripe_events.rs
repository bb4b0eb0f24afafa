//! Stripe's events only speed things up; what is not signed by Stripe changes nothing.

use std::time::Duration;

use kit::ErrorReason;
use proto::payment::{OrderStatus, ReceiveEventRequest};
use testkit::{
    eventually,
    stripe::{Delivery, Event, WEBHOOK_SECRET, signature},
};

use crate::{
    stripe::{LOST, NEXT_SECRET, Shop},
    world::{failure, reference},
};

const APPLIED: &str = "SELECT count(*) FROM provider_events WHERE state = 'applied'";
const EVENTS: &str = "SELECT count(*) FROM provider_events";

fn request(body: &str, signature: Option<String>) -> ReceiveEventRequest {
    let signature = signature.map(|signature| ("stripe-signature".to_owned(), signature));
    ReceiveEventRequest {
        provider: "stripe".to_owned(),
        body: body.to_owned().into(),
        headers: signature.into_iter().collect(),
    }
}

fn now() -> i64 {
    base::Sources::system().now().unix_timestamp()
}

async fn until_count(shop: &Shop, query: &'static str, count: i64) {
    eventually(query, Duration::from_secs(60), || async {
        (shop.world.count(query).await == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn lost_events_are_made_up_for() {
    let shop = Shop::open().await;
    shop.stripe.delivery(LOST);
    let (returns, stays_away) = (shop.world.placed().await, shop.world.placed().await);
    shop.stripe.pay(&reference(&returns.order)).unwrap();
    shop.stripe.pay(&reference(&stays_away.order)).unwrap();
    // The guest comes back from Stripe's page …
    shop.world.order(&returns, true).await;
    shop.world.until(&returns, OrderStatus::Fulfilled).await;
    // … or does not.
    shop.world.hurry().await;
    shop.world.until(&stays_away, OrderStatus::Fulfilled).await;
    assert_eq!(shop.world.count(EVENTS).await, 0);
    shop.close().await;
}

#[tokio::test]
async fn delivered_late_and_three_times_it_counts_once() {
    let shop = Shop::open().await;
    shop.stripe.delivery(Delivery {
        delay: Duration::from_millis(700),
        copies: 3,
        hold: false,
    });
    // The answers get lost too, so that deliveries come again.
    shop.world.hook.lose_answers(2);
    let placed = shop.world.placed().await;
    shop.stripe.pay(&reference(&placed.order)).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    eventually("all deliveries", Duration::from_secs(60), || async {
        (shop.world.hook.seen().len() >= 5).then_some(())
    })
    .await;
    assert_eq!(shop.world.count(EVENTS).await, 1);
    assert_eq!(shop.world.tickets.books().commits, 1);
    shop.close().await;
}

#[tokio::test]
async fn out_of_order_they_come_to_the_same() {
    let shop = Shop::open().await;
    shop.stripe.delivery(Delivery { hold: true, ..LOST });
    let placed = shop.world.placed().await;
    let session = reference(&placed.order);
    shop.stripe.pay_later(&session).unwrap();
    shop.stripe.settle(&session, true).unwrap();
    let kinds: Vec<String> = shop.stripe.events().into_iter().map(|e| e.kind).collect();
    let expected = [
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
    ];
    assert_eq!(kinds, expected);
    shop.stripe.release_newest_first().await;
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    until_count(&shop, APPLIED, 2).await;
    assert_eq!(shop.world.tickets.books().commits, 1);
    shop.close().await;
}

#[tokio::test]
async fn a_signed_event_that_is_not_so_changes_nothing() {
    let shop = Shop::open().await;
    shop.stripe.delivery(LOST);
    let (placed, other) = (shop.world.placed().await, shop.world.placed().await);
    shop.stripe.pay(&reference(&other.order)).unwrap();
    let event = &shop.stripe.events()[0];
    let lie = event
        .body
        .replace(&reference(&other.order), &reference(&placed.order));
    let signature = signature(&lie, &[WEBHOOK_SECRET], now());
    let mut events = shop.world.events.clone();
    events
        .receive_event(request(&lie, Some(signature)))
        .await
        .unwrap();
    until_count(&shop, APPLIED, 1).await;
    let status = shop.world.order(&placed, false).await.status();
    assert_eq!(status, OrderStatus::AwaitingPayment);
    shop.world.order(&other, true).await;
    shop.world.until(&other, OrderStatus::Fulfilled).await;
    shop.close().await;
}

/// Nothing of the database can be reached under its name, so that whatever touches it fails loudly.
#[tokio::test]
async fn forged_stale_or_wrongly_keyed_it_is_refused_and_costs_no_sql() {
    let shop = Shop::open().await;
    shop.stripe.delivery(LOST);
    let placed = shop.world.placed().await;
    shop.stripe.pay(&reference(&placed.order)).unwrap();
    let Event { body, .. } = shop.stripe.events().remove(0);
    shop.world.sql("ALTER SCHEMA public RENAME TO hidden").await;
    let sign = |secret: &str, at: i64| Some(signature(&body, &[secret], at));
    let tampered = body.replace("9000", "1");
    assert_ne!(tampered, body);
    let garbage = signature("no json", &[WEBHOOK_SECRET], now());
    for forged in [
        request(&body, None),
        request(&body, Some(String::new())),
        request(&body, sign("whsec_of_somebody_else", now())),
        request(&body, sign(WEBHOOK_SECRET, now() - 301)),
        request(&body, sign(WEBHOOK_SECRET, now() + 310)),
        request(&tampered, sign(WEBHOOK_SECRET, now())),
        request("no json", Some(garbage)),
    ] {
        let refused = failure(shop.world.events.clone().receive_event(forged).await);
        assert_eq!(refused.reason, ErrorReason::SignatureInvalid);
    }
    let good = request(&body, sign(WEBHOOK_SECRET, now()));
    let touched = failure(shop.world.events.clone().receive_event(good.clone()).await);
    assert_ne!(touched.reason, ErrorReason::SignatureInvalid);
    shop.world.sql("ALTER SCHEMA hidden RENAME TO public").await;
    assert_eq!(shop.world.count(EVENTS).await, 0);
    shop.world.events.clone().receive_event(good).await.unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    shop.close().await;
}

#[tokio::test]
async fn the_secret_is_rotated_without_a_gap() {
    let shop = Shop::open().await;
    let rolled: [&[&str]; 3] = [
        &[WEBHOOK_SECRET],
        &[NEXT_SECRET, WEBHOOK_SECRET],
        &[NEXT_SECRET],
    ];
    for secrets in rolled {
        shop.stripe.sign_with(secrets);
        let placed = shop.world.placed().await;
        shop.stripe.pay(&reference(&placed.order)).unwrap();
        shop.world.until(&placed, OrderStatus::Fulfilled).await;
    }
    until_count(&shop, APPLIED, 3).await;
    shop.close().await;
    // Once the old one is gone, it signs nothing any more.
    let shop = Shop::with_secrets(NEXT_SECRET).await;
    shop.stripe.delivery(LOST);
    let placed = shop.world.placed().await;
    shop.stripe.pay(&reference(&placed.order)).unwrap();
    let Event { body, .. } = shop.stripe.events().remove(0);
    let old = request(&body, Some(signature(&body, &[WEBHOOK_SECRET], now())));
    let refused = failure(shop.world.events.clone().receive_event(old).await);
    assert_eq!(refused.reason, ErrorReason::SignatureInvalid);
    let both = signature(&body, &[WEBHOOK_SECRET, NEXT_SECRET], now());
    let mut events = shop.world.events.clone();
    events
        .receive_event(request(&body, Some(both)))
        .await
        .unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    shop.close().await;
}

#[tokio::test]
async fn what_others_sell_by_the_same_account_is_stored_and_left_alone() {
    let shop = Shop::open().await;
    let placed = shop.world.placed().await;
    let theirs = r#"{"id":"cs_theirs","amount_total":500,"currency":"eur","metadata":{}}"#;
    for (id, kind, object) in [
        ("evt_a", "checkout.session.completed", theirs),
        ("evt_b", "customer.created", r#"{"id":"cus_1"}"#),
    ] {
        let body = format!(r#"{{"id":"{id}","type":"{kind}","data":{{"object":{object}}}}}"#);
        let signature = signature(&body, &[WEBHOOK_SECRET], now());
        let mut events = shop.world.events.clone();
        let stored = events.receive_event(request(&body, Some(signature))).await;
        assert!(!stored.unwrap().into_inner().duplicate);
    }
    let left =
        "SELECT count(*) FROM provider_events WHERE subject = 'nothing' AND state <> 'received'";
    until_count(&shop, left, 2).await;
    shop.stripe.pay(&reference(&placed.order)).unwrap();
    shop.world.until(&placed, OrderStatus::Fulfilled).await;
    shop.close().await;
}
