//! Placing an order, and placing it again.

use std::time::{Duration, Instant};

use kit::ErrorReason;
use proto::payment::{OrderStatus, PlaceOrderRequest};

use crate::world::{Placed, World, failure};

#[tokio::test]
async fn an_order_is_placed_with_a_page_to_pay_on() {
    let world = World::start().await;
    let placed = world.placed().await;
    let order = &placed.order;
    assert_eq!(order.status(), OrderStatus::AwaitingPayment);
    assert!(
        order.number.starts_with("BX-") && order.number.len() == 13,
        "{}",
        order.number
    );
    assert_eq!(
        (order.event_title.as_str(), order.event_timezone.as_str()),
        ("Late Show", "Europe/Berlin")
    );
    assert_eq!((order.lines.len(), order.lines[0].quantity), (1, 2));
    assert_eq!(order.total_amount.as_ref().unwrap().amount_minor, 9000);
    let payment = order.payment.as_ref().unwrap();
    let page = format!("https://shop.example/pay/sandbox/{}", payment.payment_ref);
    assert_eq!(
        (payment.provider.as_str(), &payment.checkout_url),
        ("sandbox", &page)
    );
    let story: Vec<&str> = order
        .timeline
        .iter()
        .map(|entry| entry.what.as_str())
        .collect();
    assert_eq!(story, ["created", "awaiting_payment", "payment_started"]);
    world.end().await;
}

#[tokio::test]
async fn a_replay_answers_the_same_order_and_secret() {
    let world = World::start().await;
    let wish = world.wish();
    let first = world.place(wish.clone()).await.unwrap();
    let again = world.place(wish).await.unwrap();
    assert_eq!(again.order, first.order);
    assert_eq!(again.secret, first.secret);
    world.end().await;
}

#[tokio::test]
async fn five_copies_at_once_are_one_order_and_one_payment() {
    let world = World::start().await;
    let wish = world.wish();
    let copies = (0..5).map(|_| world.place(wish.clone()));
    let answers = futures::future::join_all(copies).await;
    let ids: Vec<String> = answers
        .into_iter()
        .map(|a| a.unwrap().order.unwrap().id)
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(world.count("SELECT count(*) FROM orders").await, 1);
    assert_eq!(
        world.count("SELECT count(*) FROM sandbox.sessions").await,
        1
    );
    world.end().await;
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let world = World::start().await;
    let wish = world.wish();
    world.place(wish.clone()).await.unwrap();
    let other = PlaceOrderRequest {
        email: "eve@example.org".to_owned(),
        ..wish
    };
    assert_eq!(
        failure(world.place(other).await).reason,
        ErrorReason::IdempotencyKeyReused
    );
    world.end().await;
}

#[tokio::test]
async fn a_refusal_is_passed_on_and_repeated() {
    let world = World::start().await;
    for reason in [
        ErrorReason::HoldExpired,
        ErrorReason::TotalChanged,
        ErrorReason::LimitExceeded,
        ErrorReason::PaymentInProgress,
    ] {
        let wish = world.wish();
        world.tickets.books().mood.begin_refusal = Some(reason);
        assert_eq!(failure(world.place(wish.clone()).await).reason, reason);
        // By now it would be bound; the answer that was given stays.
        world.tickets.books().mood.begin_refusal = None;
        let again = failure(world.place(wish).await);
        assert_eq!(
            (again.reason, again.detail.as_str()),
            (reason, "The stand-in refuses.")
        );
    }
    assert_eq!(
        world
            .count("SELECT count(*) FROM orders WHERE status = 'cancelled'")
            .await,
        4
    );
    world.end().await;
}

#[tokio::test]
async fn the_stand_in_s_own_refusals() {
    let world = World::start().await;
    let expired = world.wish();
    world.tickets.expire(&expired.hold_id);
    assert_eq!(
        failure(world.place(expired).await).reason,
        ErrorReason::HoldExpired
    );
    let mut cheap = world.wish();
    cheap.expected_total.as_mut().unwrap().amount_minor = 1;
    assert_eq!(
        failure(world.place(cheap).await).reason,
        ErrorReason::TotalChanged
    );
    let foreign = PlaceOrderRequest {
        hold_secret: "guessed".to_owned(),
        ..world.wish()
    };
    assert_eq!(
        failure(world.place(foreign).await).reason,
        ErrorReason::NotFound
    );
    let first = world.wish();
    world.place(first.clone()).await.unwrap();
    let key = testkit::keys::idempotency_key();
    let second = PlaceOrderRequest {
        idempotency_key: key,
        ..first
    };
    assert_eq!(
        failure(world.place(second).await).reason,
        ErrorReason::PaymentInProgress
    );
    world.end().await;
}

#[tokio::test]
async fn a_bad_request_names_every_bad_field() {
    let world = World::start().await;
    let bad = PlaceOrderRequest {
        hold_id: "x".to_owned(),
        hold_secret: String::new(),
        email: "ada\0@example.org".to_owned(),
        phone_number: "call me".to_owned(),
        name: "A\nda".to_owned(),
        expected_total: None,
        locale: "e".repeat(99),
        ..world.wish()
    };
    let failed = failure(world.place(bad).await);
    assert_eq!(failed.reason, ErrorReason::InvalidRequest);
    let fields: Vec<&str> = failed
        .fields
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    let expected = [
        "hold_id",
        "hold_secret",
        "email",
        "phone_number",
        "name",
        "locale",
        "expected_total",
    ];
    assert_eq!(fields, expected);
    let mut negative = world.wish();
    negative.expected_total.as_mut().unwrap().amount_minor = -1;
    assert_eq!(
        failure(world.place(negative).await).fields[0].field,
        "expected_total"
    );
    let short = PlaceOrderRequest {
        idempotency_key: "short".to_owned(),
        ..world.wish()
    };
    assert_eq!(
        failure(world.place(short).await).reason,
        ErrorReason::IdempotencyKeyInvalid
    );
    let unknown = PlaceOrderRequest {
        provider: "stripe".to_owned(),
        ..world.wish()
    };
    assert_eq!(
        failure(world.place(unknown).await).reason,
        ErrorReason::ProviderNotEnabled
    );
    assert_eq!(world.count("SELECT count(*) FROM orders").await, 0);
    world.end().await;
}

#[tokio::test]
async fn nothing_to_pay_is_paid_without_a_provider() {
    let world = World::start().await;
    let answer = world.place(world.wish_for(3, 0)).await.unwrap();
    assert!(!answer.preparing);
    let placed = Placed::from(answer);
    assert_eq!(placed.order.payment, None);
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(order.tickets.len(), 3);
    assert_eq!(
        world.count("SELECT count(*) FROM sandbox.sessions").await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn nothing_to_pay_and_nothing_left_is_told() {
    let world = World::start().await;
    world.tickets.books().mood.sold_out = true;
    let answer = world.place(world.wish_for(1, 0)).await.unwrap();
    let placed = Placed::from(answer);
    let order = world.until(&placed, OrderStatus::Unfulfillable).await;
    assert!(order.refunds.is_empty());
    assert_eq!(world.told(&placed).await.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_guest_who_hangs_up_cancels_nothing() {
    let world = World::start().await;
    world.tickets.books().mood.begin_delay = Duration::from_millis(400);
    let wish = world.wish();
    let hasty = tokio::time::timeout(Duration::from_millis(150), world.place(wish)).await;
    assert!(hasty.is_err());
    testkit::eventually("a page to pay on", Duration::from_secs(60), || async {
        let query = "SELECT count(*) FROM payment_attempts WHERE checkout_url IS NOT NULL";
        (world.count(query).await == 1).then_some(())
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_slow_answer_is_not_waited_for() {
    let world = World::start().await;
    world.tickets.books().mood.begin_delay = Duration::from_millis(7_500);
    let asked = Instant::now();
    let answer = world.place(world.wish()).await.unwrap();
    assert!(
        asked.elapsed() < Duration::from_millis(7_300),
        "{:?}",
        asked.elapsed()
    );
    assert!(answer.preparing);
    let placed = Placed::from(answer);
    assert_eq!(placed.order.status(), OrderStatus::Created);
    let order = world.until(&placed, OrderStatus::AwaitingPayment).await;
    assert_eq!(order.total_amount.unwrap().amount_minor, 9000);
    world.end().await;
}

#[test]
fn an_unknown_provider_is_a_nonsense_setting() {
    use clap::Parser as _;
    let error = payment_svc::Config::try_parse_from([
        "payment-svc",
        "--payment-providers",
        "sandbox,paypal",
    ]);
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("paypal") && message.contains("sandbox"),
        "{message}"
    );
}
