//! When the time to pay is over.

use proto::payment::{AttemptStatus, OrderStatus, SandboxSessionStatus};
use testkit::keys;

use crate::world::{World, failure, reference};

#[tokio::test]
async fn an_order_that_nobody_pays_expires() {
    let world = World::start().await;
    world.tickets.books().mood.pay_secs = 1;
    let placed = world.placed().await;
    let order = world.until(&placed, OrderStatus::Expired).await;
    assert_eq!(order.payment.unwrap().status(), AttemptStatus::Cancelled);
    let late = world
        .submit(&reference(&placed.order), "4242424242424242")
        .await
        .unwrap();
    assert_eq!(late.status(), SandboxSessionStatus::Closed);
    let again = world.start_payment(&placed, &keys::idempotency_key()).await;
    assert_eq!(failure(again).reason, kit::ErrorReason::OrderNotOpen);
    world.end().await;
}

#[tokio::test]
async fn a_declined_order_expires_too() {
    let world = World::start().await;
    world.tickets.books().mood.pay_secs = 2;
    let placed = world.placed().await;
    world.decline(&placed.order).await;
    world.until(&placed, OrderStatus::Expired).await;
    world.end().await;
}

#[tokio::test]
async fn money_that_came_in_time_is_found_at_the_end_of_the_time() {
    let world = World::start().await;
    world.hook.copies(0);
    world.tickets.books().mood.pay_secs = 2;
    let placed = world.placed().await;
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(
        world
            .count("SELECT count(*) FROM order_events WHERE to_status = 'expired'")
            .await,
        0
    );
    world.end().await;
}

/// A provider that lets a payment through although it had said that it was closed.
pub async fn pay_after_the_end(world: &World) {
    world.sql("UPDATE sandbox.sessions SET status = 'open', expires_at = clock_timestamp() + interval '1 hour'").await;
}

#[tokio::test]
async fn a_late_payment_is_served_where_there_is_stock() {
    let world = World::start().await;
    world.tickets.books().mood.pay_secs = 1;
    let placed = world.placed().await;
    world.until(&placed, OrderStatus::Expired).await;
    pay_after_the_end(&world).await;
    world.pay(&placed.order).await;
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(order.tickets.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_late_payment_without_stock_goes_back() {
    let world = World::start().await;
    let placed = world.placed().await;
    world.cancel(&placed).await.unwrap();
    world.tickets.books().mood.sold_out = true;
    pay_after_the_end(&world).await;
    world.pay(&placed.order).await;
    let order = world.until(&placed, OrderStatus::Refunded).await;
    assert!(order.tickets.is_empty());
    assert_eq!(world.sent_back(&placed).await, 9000);
    world.end().await;
}
