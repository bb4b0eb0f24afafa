//! Paying, being declined, paying again.

use std::time::Duration;

use kit::ErrorReason;
use proto::{
    event::{Envelope, envelope::Payload},
    payment::{
        AttemptStatus, GetReceiptRequest, Order, OrderStatus, RefundReason, SandboxSessionStatus,
    },
};
use testkit::keys;

use crate::world::{Placed, World, failure, reference};

#[tokio::test]
async fn a_paid_order_is_fulfilled_and_announced_once() {
    let world = World::start().await;
    let placed = world.placed().await;
    assert_eq!(
        world.pay(&placed.order).await.status(),
        SandboxSessionStatus::Succeeded
    );
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(order.tickets.len(), 2);
    let payment = order.payment.as_ref().unwrap();
    assert_eq!(
        (payment.status(), payment.checkout_url.as_str()),
        (AttemptStatus::Succeeded, "")
    );
    let story: Vec<&str> = order
        .timeline
        .iter()
        .map(|entry| entry.what.as_str())
        .collect();
    assert_eq!(
        story,
        [
            "created",
            "awaiting_payment",
            "payment_started",
            "paid",
            "fulfilled"
        ]
    );
    assert!(order.timeline.iter().all(|entry| !entry.detail.is_empty()));

    let envelope: Vec<u8> = sqlx::query_scalar("SELECT envelope FROM outbox")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    let envelope: Envelope = prost::Message::decode(envelope.as_slice()).unwrap();
    let Some(Payload::OrderPaid(announced)) = envelope.payload else {
        panic!("{envelope:?}")
    };
    assert_eq!(
        (announced.order_id, announced.number),
        (order.id.clone(), order.number)
    );
    assert_eq!(announced.tickets.len(), 2);
    assert!(!announced.sealed_order_link.is_empty() && announced.paid_at.is_some());

    let (order_id, secret) = (order.id, placed.secret.clone());
    let mut client = world.orders.clone();
    let receipt = client.get_receipt(GetReceiptRequest {
        order_id,
        secret,
        money_only: false,
    });
    let facts = receipt.await.unwrap().into_inner().facts.unwrap();
    assert_eq!(
        (facts.tickets, facts.lines),
        (announced.tickets, announced.lines)
    );
    assert_eq!(
        (facts.total, facts.paid_at),
        (announced.total, announced.paid_at)
    );
    world.end().await;
}

#[tokio::test]
async fn one_purchase_is_one_trace() {
    let world = World::start().await;
    let trace = kit::TraceId::new([7; 16]);
    let context = kit::CallContext {
        trace: Some(trace.clone()),
        ..kit::CallContext::default()
    };
    let placed = kit::with_context(context, world.placed()).await;
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    let traces: Vec<Option<String>> = sqlx::query_scalar("SELECT trace_id FROM order_events")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    assert_eq!(traces, vec![Some(trace.to_string()); 5]);
    let envelope: Vec<u8> = sqlx::query_scalar("SELECT envelope FROM outbox")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    let envelope: Envelope = prost::Message::decode(envelope.as_slice()).unwrap();
    assert_eq!(envelope.traceparent, trace.traceparent());
    world.end().await;
}

#[tokio::test]
async fn there_is_no_receipt_before_the_tickets() {
    let world = World::start().await;
    let placed = world.placed().await;
    let (order_id, secret) = (placed.order.id.clone(), placed.secret.clone());
    let mut client = world.orders.clone();
    let receipt = client.get_receipt(GetReceiptRequest {
        order_id,
        secret,
        money_only: false,
    });
    assert_eq!(failure(receipt.await).reason, ErrorReason::TicketsNotReady);
    world.end().await;
}

#[tokio::test]
async fn after_a_decline_a_second_attempt_pays() {
    let world = World::start().await;
    let placed = world.placed().await;
    let first = reference(&placed.order);
    assert_eq!(
        world.decline(&placed.order).await.status(),
        SandboxSessionStatus::Declined
    );
    // At once: the webhook may or may not have arrived.
    let key = keys::idempotency_key();
    let second = world
        .start_payment(&placed, &key)
        .await
        .unwrap()
        .order
        .unwrap();
    assert_ne!(reference(&second), first);
    let replay = world
        .start_payment(&placed, &key)
        .await
        .unwrap()
        .order
        .unwrap();
    assert_eq!(reference(&replay), reference(&second));
    // The page of the first attempt takes no card any more.
    let stale = world.submit(&first, "4242424242424242").await.unwrap();
    assert_eq!(stale.status(), SandboxSessionStatus::Closed);
    world.pay(&second).await;
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    assert!(
        order
            .timeline
            .iter()
            .any(|entry| entry.what == "payment_failed")
    );
    assert_eq!(
        world.count("SELECT count(*) FROM payment_attempts").await,
        2
    );
    world.end().await;
}

#[tokio::test]
async fn a_decline_leaves_the_order_open() {
    let world = World::start().await;
    let wish = world.wish();
    let placed = Placed::from(world.place(wish.clone()).await.unwrap());
    let order = declined(&world, &placed).await;
    assert_eq!(order.status(), OrderStatus::AwaitingPayment);
    assert_eq!(order.payment.unwrap().checkout_url, "");
    // There is no page, and none will follow by itself.
    assert!(!world.place(wish).await.unwrap().preparing);
    world.end().await;
}

#[tokio::test]
async fn copies_of_a_second_attempt_at_once_are_one() {
    let world = World::start().await;
    for _ in 0..4 {
        let placed = world.placed().await;
        declined(&world, &placed).await;
        let key = keys::idempotency_key();
        let copies = (0..5).map(|_| world.start_payment(&placed, &key));
        for answer in futures::future::join_all(copies).await {
            answer.unwrap();
        }
        let order = world.order(&placed, false).await;
        assert_ne!(reference(&order), reference(&placed.order));
    }
    assert_eq!(
        world.count("SELECT count(*) FROM payment_attempts").await,
        8
    );
    world.end().await;
}

/// Declines the card and waits until the order knows.
async fn declined(world: &World, placed: &Placed) -> Order {
    world.decline(&placed.order).await;
    testkit::eventually("a failed attempt", Duration::from_secs(60), || async {
        let order = world.order(placed, false).await;
        let failed = order.payment.as_ref().unwrap().status() == AttemptStatus::Failed;
        failed.then_some(order)
    })
    .await
}

#[tokio::test]
async fn one_attempt_at_a_time_and_none_after_the_end() {
    let world = World::start().await;
    let placed = world.placed().await;
    let second = world.start_payment(&placed, &keys::idempotency_key()).await;
    assert_eq!(failure(second).reason, ErrorReason::PaymentInProgress);
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    let third = world.start_payment(&placed, &keys::idempotency_key()).await;
    assert_eq!(failure(third).reason, ErrorReason::OrderNotOpen);
    world.end().await;
}

#[tokio::test]
async fn bad_cards_and_unknown_pages_are_refused() {
    let world = World::start().await;
    let placed = world.placed().await;
    let request = proto::payment::SubmitSandboxCardRequest {
        reference: reference(&placed.order),
        card_number: "4242424242424242".to_owned(),
        exp: "01/20".to_owned(),
        cvc: "12".to_owned(),
    };
    let failed = failure(world.sandbox.clone().submit_sandbox_card(request).await);
    let fields: Vec<&str> = failed
        .fields
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(fields, ["exp", "cvc"]);
    for unknown in ["", "sbx_nothing", "sbx_\0"] {
        let failed = failure(world.submit(unknown, "4242424242424242").await);
        assert_eq!(failed.reason, ErrorReason::NotFound);
    }
    world.end().await;
}

#[tokio::test]
async fn money_for_stock_that_is_gone_goes_back() {
    let world = World::start().await;
    let placed = world.placed().await;
    world.tickets.books().mood.sold_out = true;
    world.pay(&placed.order).await;
    let order = world.until(&placed, OrderStatus::Refunded).await;
    assert!(order.tickets.is_empty());
    assert_eq!(
        (order.refunds.len(), order.refunds[0].reason()),
        (1, RefundReason::Unfulfillable)
    );
    assert_eq!(world.sent_back(&placed).await, 9000);
    assert_eq!(world.attention(&placed).await, None);
    world.end().await;
}
