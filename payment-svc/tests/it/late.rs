//! An event that is cancelled while its orders are being paid.

use kit::ErrorReason;
use proto::payment::{AttemptStatus, OrderStatus};
use testkit::keys;

use crate::world::{World, failure, reference};

#[tokio::test]
async fn an_open_order_of_a_cancelled_event_ends() {
    let world = World::start().await;
    let placed = world.placed().await;
    world.tickets.cancel_event("The singer is ill.");
    let order = world.until(&placed, OrderStatus::Cancelled).await;
    assert_eq!(order.payment.unwrap().status(), AttemptStatus::Cancelled);
    let last = order.timeline.last().unwrap();
    assert_eq!(
        (last.what.as_str(), last.detail.as_str()),
        ("cancelled", "The event was cancelled.")
    );
    let again = world.start_payment(&placed, &keys::idempotency_key()).await;
    assert_eq!(failure(again).reason, ErrorReason::OrderNotOpen);
    world.end().await;
}

#[tokio::test]
async fn money_that_was_faster_than_the_end_goes_back() {
    let world = World::start().await;
    world.hook.copies(0);
    let placed = world.placed().await;
    world.pay(&placed.order).await;
    world.tickets.cancel_event("The singer is ill.");
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.sent_back(&placed).await, 9000);
    world.end().await;
}

#[tokio::test]
async fn a_payment_without_an_outcome_is_closed_with_its_event() {
    let world = World::start().await;
    let placed = world.placed().await;
    let page = reference(&placed.order);
    world.submit(&page, "4000000000000119").await.unwrap();
    world.until(&placed, OrderStatus::Processing).await;
    world.tickets.cancel_event("The singer is ill.");
    world.until(&placed, OrderStatus::Cancelled).await;
    world.end().await;
}
