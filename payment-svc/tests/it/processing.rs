//! Payments whose outcome the provider does not know yet.

use std::time::Duration;

use kit::ErrorReason;
use proto::payment::{AttemptStatus, OrderStatus, SettleSandboxSessionRequest};
use testkit::{eventually, keys};

use crate::world::{Placed, World, failure, reference};

/// Until it is closed or settled.
const PENDS: &str = "4000000000000119";
/// Until it is settled; it cannot be closed.
const PENDS_FOR_GOOD: &str = "4000000000000341";

async fn processing(world: &World, card: &str) -> Placed {
    let placed = world.placed().await;
    world.submit(&reference(&placed.order), card).await.unwrap();
    let order = world.until(&placed, OrderStatus::Processing).await;
    assert_eq!(order.payment.unwrap().status(), AttemptStatus::Processing);
    placed
}

async fn settle(world: &World, placed: &Placed, paid: bool) {
    let request = SettleSandboxSessionRequest {
        reference: reference(&placed.order),
        paid,
    };
    let answer = world.sandbox.clone().settle_sandbox_session(request).await;
    answer.unwrap();
}

#[tokio::test]
async fn no_second_attempt_starts_before_the_outcome_is_known() {
    let world = World::start().await;
    let placed = processing(&world, PENDS).await;
    let second = world.start_payment(&placed, &keys::idempotency_key()).await;
    assert_eq!(failure(second).reason, ErrorReason::PaymentInProgress);
    settle(&world, &placed, false).await;
    let order = world.until(&placed, OrderStatus::AwaitingPayment).await;
    assert_eq!(order.payment.unwrap().checkout_url, "");
    let second = world.start_payment(&placed, &keys::idempotency_key()).await;
    world.pay(&second.unwrap().order.unwrap()).await;
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    let story: Vec<&str> = order.timeline.iter().map(|e| e.what.as_str()).collect();
    assert!(story.contains(&"processing"), "{story:?}");
    world.end().await;
}

/// A look without news must not lead to the next one at once.
#[tokio::test]
async fn it_is_asked_about_on_a_schedule() {
    let world = World::start().await;
    world.hook.copies(0);
    let placed = processing_by_asking(&world).await;
    let checks = "SELECT checks::bigint FROM payment_attempts";
    for looks in 1..=3 {
        world.hurry().await;
        eventually("one more look", Duration::from_secs(60), || async {
            (world.count(checks).await == looks).then_some(())
        })
        .await;
    }
    let pause = "SELECT extract(epoch FROM next_step_at - clock_timestamp())::bigint FROM orders";
    eventually("a long pause", Duration::from_secs(60), || async {
        (world.count(pause).await > 600).then_some(())
    })
    .await;
    assert_eq!(world.count(checks).await, 3);
    settle(&world, &placed, true).await;
    world.hurry().await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

async fn processing_by_asking(world: &World) -> Placed {
    let placed = world.placed().await;
    world.nobody_looks().await;
    world
        .submit(&reference(&placed.order), PENDS)
        .await
        .unwrap();
    let order = world.order(&placed, true).await;
    assert_eq!(order.status(), OrderStatus::Processing);
    placed
}

#[tokio::test]
async fn at_the_end_of_the_time_it_is_closed_where_that_is_possible() {
    let world = World::start().await;
    world.tickets.books().mood.pay_secs = 3;
    let placed = processing(&world, PENDS).await;
    let order = world.until(&placed, OrderStatus::Expired).await;
    assert_eq!(order.payment.unwrap().status(), AttemptStatus::Cancelled);
    world.end().await;
}

#[tokio::test]
async fn what_cannot_be_closed_keeps_its_order_until_it_is_known() {
    let world = World::start().await;
    world.tickets.books().mood.pay_secs = 2;
    let placed = processing(&world, PENDS_FOR_GOOD).await;
    let overdue = "SELECT count(*) FROM orders WHERE pay_by < clock_timestamp()";
    eventually("the time is over", Duration::from_secs(60), || async {
        (world.count(overdue).await == 1).then_some(())
    })
    .await;
    world.hurry().await;
    eventually("a look without news", Duration::from_secs(60), || async {
        let checks = world.count("SELECT checks::bigint FROM payment_attempts");
        (checks.await > 0).then_some(())
    })
    .await;
    let order = world.order(&placed, false).await;
    assert_eq!(order.status(), OrderStatus::Processing);
    assert!(!world.tickets.books().orders[&placed.order.id].released);
    settle(&world, &placed, true).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn a_guest_may_give_it_up_where_it_can_be_closed() {
    let world = World::start().await;
    let closable = processing(&world, PENDS).await;
    let order = world.cancel(&closable).await.unwrap();
    assert_eq!(order.status(), OrderStatus::Cancelled);
    let stuck = processing(&world, PENDS_FOR_GOOD).await;
    let refused = failure(world.cancel(&stuck).await);
    assert_eq!(refused.reason, ErrorReason::PaymentInProgress);
    settle(&world, &stuck, false).await;
    world.until(&stuck, OrderStatus::AwaitingPayment).await;
    let order = world.cancel(&stuck).await.unwrap();
    assert_eq!(order.status(), OrderStatus::Cancelled);
    world.end().await;
}
