//! Webhooks only speed things up: tripled, lost, forged or wrong, the order ends as it should.

use std::time::Duration;

use aws_lc_rs::hmac;
use kit::ErrorReason;
use proto::payment::{OrderStatus, ReceiveEventRequest};
use testkit::eventually;

use crate::world::{Placed, SECRET, World, failure, reference};

/// An event as the sandbox would sign it.
pub fn signed(body: &str, secret: &str) -> ReceiveEventRequest {
    let t = base::Sources::system().now().unix_timestamp();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{t}.{body}").as_bytes());
    let signature = format!("t={t},v1={}", base::hex(tag.as_ref()));
    ReceiveEventRequest {
        provider: "sandbox".to_owned(),
        body: body.to_owned().into(),
        headers: [("sandbox-signature".to_owned(), signature)].into(),
    }
}

pub fn event(id: &str, kind: &str, placed: &Placed, amount_minor: i64) -> String {
    format!(
        r#"{{"id":"{id}","type":"{kind}","created":1,"data":{{"reference":"{}","amount_minor":{amount_minor},"currency":"EUR","status":"succeeded","metadata":{{"order_id":"{}"}}}}}}"#,
        reference(&placed.order),
        placed.order.id,
    )
}

#[tokio::test]
async fn delivered_three_times_it_counts_once() {
    let world = World::start().await;
    world.hook.copies(3);
    // And the answers get lost, so that each delivery comes again.
    world.hook.lose_answers(2);
    let placed = world.placed().await;
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    eventually("the delivery is over", Duration::from_secs(60), || async {
        let query = "SELECT count(*) FROM sandbox.deliveries WHERE delivered_at IS NULL";
        (world.count(query).await == 0).then_some(())
    })
    .await;
    assert_eq!(world.hook.seen().len(), 3);
    assert_eq!(world.count("SELECT count(*) FROM provider_events").await, 1);
    assert_eq!(world.tickets.books().commits, 1);
    world.end().await;
}

#[tokio::test]
async fn without_a_webhook_the_guest_s_return_finds_the_money() {
    let world = World::start().await;
    world.hook.copies(0);
    let placed = world.placed().await;
    world.pay(&placed.order).await;
    let order = world.order(&placed, true).await;
    assert!(
        matches!(order.status(), OrderStatus::Paid | OrderStatus::Fulfilled),
        "{order:?}"
    );
    world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(world.count("SELECT count(*) FROM provider_events").await, 0);
    world.end().await;
}

#[tokio::test]
async fn without_a_webhook_the_reconciler_finds_the_money() {
    let world = World::start().await;
    world.hook.copies(0);
    let placed = world.placed().await;
    world.hurry().await;
    eventually("one look without news", Duration::from_secs(60), || async {
        (world
            .count("SELECT checks::bigint FROM payment_attempts")
            .await
            == 1)
            .then_some(())
    })
    .await;
    world.pay(&placed.order).await;
    world.hurry().await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn out_of_order_and_late_events_change_nothing() {
    let world = World::start().await;
    let placed = world.placed().await;
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    for (id, kind) in [
        ("evt_late", "payment.failed"),
        ("evt_again", "payment.succeeded"),
    ] {
        let body = event(id, kind, &placed, 9000);
        let stored = world
            .events
            .clone()
            .receive_event(signed(&body, SECRET))
            .await
            .unwrap();
        assert!(!stored.into_inner().duplicate);
        let again = world
            .events
            .clone()
            .receive_event(signed(&body, SECRET))
            .await
            .unwrap();
        assert!(again.into_inner().duplicate);
    }
    eventually(
        "all events are applied",
        Duration::from_secs(60),
        || async {
            let query = "SELECT count(*) FROM provider_events WHERE state = 'applied'";
            (world.count(query).await == 3).then_some(())
        },
    )
    .await;
    assert_eq!(
        world.order(&placed, false).await.status(),
        OrderStatus::Fulfilled
    );
    world.end().await;
}

#[tokio::test]
async fn a_lie_that_is_signed_changes_nothing_either() {
    let world = World::start().await;
    let placed = world.placed().await;
    // The provider itself knows that nobody has paid.
    let body = event("evt_lie", "payment.succeeded", &placed, 9000);
    world
        .events
        .clone()
        .receive_event(signed(&body, SECRET))
        .await
        .unwrap();
    eventually("the event is applied", Duration::from_secs(60), || async {
        let query = "SELECT count(*) FROM provider_events WHERE state = 'applied'";
        (world.count(query).await == 1).then_some(())
    })
    .await;
    assert_eq!(
        world.order(&placed, false).await.status(),
        OrderStatus::AwaitingPayment
    );
    world.end().await;
}

#[tokio::test]
async fn a_forged_event_never_reaches_the_database() {
    let world = World::start().await;
    let placed = world.placed().await;
    // Any statement on this table would fail loudly now.
    world
        .sql("ALTER TABLE provider_events RENAME TO hidden")
        .await;
    let body = event("evt_forged", "payment.succeeded", &placed, 9000);
    let mut tampered = signed(&body, SECRET);
    tampered.body = body.replace("9000", "1").into();
    let mut unsigned = signed(&body, SECRET);
    unsigned.headers.clear();
    let garbage = signed("no json", SECRET);
    for forged in [
        signed(&body, "another secret, long"),
        tampered,
        unsigned,
        garbage,
    ] {
        let refused = failure(world.events.clone().receive_event(forged).await);
        assert_eq!(refused.reason, ErrorReason::SignatureInvalid);
    }
    let good = failure(
        world
            .events
            .clone()
            .receive_event(signed(&body, SECRET))
            .await,
    );
    assert_eq!(good.reason, ErrorReason::Internal);
    let elsewhere = ReceiveEventRequest {
        provider: "paypal".to_owned(),
        ..signed(&body, SECRET)
    };
    let refused = failure(world.events.clone().receive_event(elsewhere).await);
    assert_eq!(refused.reason, ErrorReason::ProviderNotEnabled);
    world
        .sql("ALTER TABLE hidden RENAME TO provider_events")
        .await;
    assert_eq!(world.count("SELECT count(*) FROM provider_events").await, 0);
    world.end().await;
}

#[tokio::test]
async fn another_amount_is_quarantined() {
    let world = World::start().await;
    let placed = world.placed().await;
    world
        .sql("UPDATE sandbox.sessions SET amount_minor = 100")
        .await;
    world.pay(&placed.order).await;
    let order = world.until(&placed, OrderStatus::Mismatch).await;
    assert!(order.tickets.is_empty());
    assert_eq!(order.payment.unwrap().checkout_url, "");
    let again = world
        .start_payment(&placed, &testkit::keys::idempotency_key())
        .await;
    assert_eq!(failure(again).reason, ErrorReason::OrderNotOpen);
    assert_eq!(
        world
            .count("SELECT count(*) FROM orders WHERE needs_attention IS NOT NULL")
            .await,
        1
    );
    assert_eq!(world.tickets.books().commits, 0);
    world.end().await;
}

#[tokio::test]
async fn what_is_quarantined_waits_for_a_person() {
    let world = World::start().await;
    let placed = world.placed().await;
    let body = event("evt_odd", "payment.succeeded", &placed, 100);
    world
        .events
        .clone()
        .receive_event(signed(&body, SECRET))
        .await
        .unwrap();
    world.until(&placed, OrderStatus::Mismatch).await;
    // A payment as it was asked for is recorded, and decides nothing.
    world.pay(&placed.order).await;
    eventually("the money is recorded", Duration::from_secs(60), || async {
        let query = "SELECT count(*) FROM payment_attempts WHERE status = 'succeeded'";
        (world.count(query).await == 1).then_some(())
    })
    .await;
    assert_eq!(
        world.order(&placed, true).await.status(),
        OrderStatus::Mismatch
    );
    assert_eq!(world.tickets.books().commits, 0);
    world.end().await;
}

#[tokio::test]
async fn another_currency_found_by_asking_is_quarantined() {
    let world = World::start().await;
    world.hook.copies(0);
    let placed = world.placed().await;
    world
        .sql("UPDATE sandbox.sessions SET currency = 'USD'")
        .await;
    world.pay(&placed.order).await;
    assert_eq!(
        world.order(&placed, true).await.status(),
        OrderStatus::Mismatch
    );
    world.end().await;
}

#[tokio::test]
async fn an_event_about_a_stranger_s_payment_is_kept_for_a_person() {
    let world = World::start().await;
    let placed = world.placed().await;
    let body = event("evt_odd", "payment.succeeded", &placed, 9000)
        .replace(&reference(&placed.order), "sbx_other");
    world
        .events
        .clone()
        .receive_event(signed(&body, SECRET))
        .await
        .unwrap();
    world
        .sql("UPDATE provider_events SET attempts = 13, next_attempt_at = clock_timestamp()")
        .await;
    eventually("the event is given up", Duration::from_secs(60), || async {
        let query = "SELECT count(*) FROM provider_events WHERE state = 'unmatched'";
        world.sql("UPDATE provider_events SET attempts = 13, next_attempt_at = clock_timestamp() WHERE state = 'received'").await;
        (world.count(query).await == 1).then_some(())
    })
    .await;
    world.end().await;
}
