//! Giving the tickets back.

use std::time::Duration;

use kit::ErrorReason;
use proto::payment::{AttemptStatus, OrderStatus, SandboxSessionStatus};

use crate::world::{World, failure, reference};

#[tokio::test]
async fn an_open_order_is_cancelled_and_its_stock_is_free() {
    let world = World::start().await;
    let placed = world.placed().await;
    let order = world.cancel(&placed).await.unwrap();
    assert_eq!(order.status(), OrderStatus::Cancelled);
    assert_eq!(order.payment.unwrap().status(), AttemptStatus::Cancelled);
    assert!(world.tickets.books().orders[&placed.order.id].released);
    // The page takes no card any more.
    let late = world
        .submit(&reference(&placed.order), "4242424242424242")
        .await
        .unwrap();
    assert_eq!(late.status(), SandboxSessionStatus::Closed);
    // Once more changes nothing.
    assert_eq!(
        world.cancel(&placed).await.unwrap().status(),
        OrderStatus::Cancelled
    );
    assert_eq!(
        world
            .count("SELECT count(*) FROM order_events WHERE to_status = 'cancelled'")
            .await,
        1
    );
    world.end().await;
}

#[tokio::test]
async fn a_payment_that_was_faster_wins() {
    let world = World::start().await;
    // payment-svc has not heard of it yet.
    world.hook.copies(0);
    let placed = world.placed().await;
    world.nobody_looks().await;
    world.pay(&placed.order).await;
    let order = world.cancel(&placed).await.unwrap();
    assert!(
        matches!(order.status(), OrderStatus::Paid | OrderStatus::Fulfilled),
        "{order:?}"
    );
    world.hurry().await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(
        failure(world.cancel(&placed).await).reason,
        ErrorReason::OrderNotOpen
    );
    world.end().await;
}

#[tokio::test]
async fn cancel_and_pay_at_once_end_in_one_of_both() {
    let world = World::start().await;
    for _ in 0..8 {
        let placed = world.placed().await;
        let (paid, cancelled) = tokio::join!(world.pay(&placed.order), world.cancel(&placed));
        let order = cancelled.ok();
        match paid.status() {
            SandboxSessionStatus::Succeeded => {
                world.until(&placed, OrderStatus::Fulfilled).await;
            }
            _ => assert_eq!(order.unwrap().status(), OrderStatus::Cancelled),
        }
    }
    world.end().await;
}

#[tokio::test]
async fn an_order_that_is_cancelled_while_it_is_placed_is_answered_as_cancelled() {
    let world = World::start().await;
    world.tickets.books().mood.begin_delay = Duration::from_secs(4);
    let placing = world.place(world.wish());
    let cancelling = async {
        let id = testkit::eventually("the order's row", Duration::from_secs(60), || async {
            let found = sqlx::query_scalar("SELECT id FROM orders").fetch_optional(&world.pool);
            found.await.unwrap()
        })
        .await;
        world.cancel(&world.as_its_guest(id)).await.unwrap()
    };
    let (placed, cancelled) = tokio::join!(placing, cancelling);
    assert_eq!(cancelled.status(), OrderStatus::Cancelled);
    assert_eq!(
        placed.unwrap().order.unwrap().status(),
        OrderStatus::Cancelled
    );
    world.end().await;
}

#[tokio::test]
async fn stock_that_cannot_be_released_now_is_released_later() {
    let world = World::start().await;
    let placed = world.placed().await;
    world.tickets.books().mood.release_away = true;
    assert_eq!(
        world.cancel(&placed).await.unwrap().status(),
        OrderStatus::Cancelled
    );
    assert!(!world.tickets.books().orders[&placed.order.id].released);
    world.tickets.books().mood.release_away = false;
    world.end().await;
}
