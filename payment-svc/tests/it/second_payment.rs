//! A provider that lets two payments of one order through: one is enough.

use std::time::Duration;

use proto::payment::{OrderStatus, RefundReason, RefundStatus};
use testkit::{eventually, keys};

use crate::{
    expiry::pay_after_the_end,
    world::{Placed, World, reference},
};

/// An order with its second attempt open, after the first was declined and closed.
pub async fn with_two_attempts(world: &World) -> (Placed, Placed) {
    let first = world.placed().await;
    world.decline(&first.order).await;
    let answer = world.start_payment(&first, &keys::idempotency_key()).await;
    let second = Placed {
        order: answer.unwrap().order.unwrap(),
        ..first.clone()
    };
    assert_ne!(reference(&first.order), reference(&second.order));
    (first, second)
}

#[tokio::test]
async fn the_second_one_goes_back_in_full_and_the_tickets_stay() {
    let world = World::start().await;
    let (first, second) = with_two_attempts(&world).await;
    world.pay(&second.order).await;
    world.until(&second, OrderStatus::Fulfilled).await;
    // Reopens every page, the paid one too; its ledger stays.
    world.sql("UPDATE sandbox.sessions SET status = 'open', declines = 0, expires_at = clock_timestamp() + interval '1 hour' WHERE declines > 0").await;
    world.pay(&first.order).await;
    let order = eventually("it is back", Duration::from_secs(60), || async {
        let order = world.order(&second, false).await;
        let back = order.refunds.first()?.status() == RefundStatus::Succeeded;
        back.then_some(order)
    })
    .await;
    assert_eq!(order.status(), OrderStatus::Fulfilled);
    assert_eq!((order.tickets.len(), order.refunds.len()), (2, 1));
    assert_eq!(order.refunds[0].reason(), RefundReason::SecondPayment);
    assert_eq!(world.sent_back(&first).await, 9000);
    assert_eq!(world.sent_back(&second).await, 0);
    assert!(order.timeline.iter().any(|e| e.what == "second_payment"));
    assert_eq!(world.attention(&second).await, None);
    world.end().await;
}

#[tokio::test]
async fn once_the_order_is_paid_its_other_page_is_closed() {
    let world = World::start().await;
    let (first, second) = with_two_attempts(&world).await;
    world.sql("UPDATE sandbox.sessions SET status = 'open', declines = 0, settled_at = NULL WHERE declines > 0").await;
    world.pay(&first.order).await;
    world.until(&second, OrderStatus::Fulfilled).await;
    eventually("no page is left", Duration::from_secs(60), || async {
        let open = "SELECT count(*) FROM sandbox.sessions WHERE status = 'open'";
        (world.count(open).await == 0).then_some(())
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_late_payment_pays_once() {
    let world = World::start().await;
    let placed = world.placed().await;
    world.cancel(&placed).await.unwrap();
    pay_after_the_end(&world).await;
    world.hook.copies(5);
    world.pay(&placed.order).await;
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    assert!(order.refunds.is_empty());
    assert_eq!(world.tickets.books().commits, 1);
    world.end().await;
}
