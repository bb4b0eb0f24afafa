//! Many at the same moment are worked off together, and each as if it were alone.

use std::time::Duration;

use futures::future::join_all;
use proto::payment::{OrderStatus, RefundReason};
use testkit::eventually;

use crate::{
    second_payment::with_two_attempts,
    webhooks::{event, signed},
    world::{Placed, SECRET, World},
};

const ORDERS: usize = 12;

/// The provider has the money of every page, and has told nobody.
async fn all_paid(world: &World) {
    world
        .sql("UPDATE sandbox.sessions SET status = 'succeeded', settled_at = clock_timestamp()")
        .await;
}

/// Reports the payment of each, all at the same moment. How many were new.
async fn report(world: &World, payments: &[(String, &Placed)]) -> usize {
    let tell = payments.iter().map(|(id, placed)| {
        let body = event(id, "payment.succeeded", placed, 9000);
        let mut events = world.events.clone();
        async move {
            let stored = events.receive_event(signed(&body, SECRET)).await.unwrap();
            !stored.into_inner().duplicate
        }
    });
    let new = join_all(tell).await;
    new.into_iter().filter(|new| *new).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_report_counts_once_and_each_order_is_fulfilled_once() {
    let world = World::start().await;
    world.hook.copies(0);
    let placed = join_all((0..ORDERS).map(|_| world.placed())).await;
    all_paid(&world).await;
    let tripled: Vec<(String, &Placed)> = (0..3 * ORDERS)
        .map(|number| (format!("evt_{}", number % ORDERS), &placed[number % ORDERS]))
        .collect();
    assert_eq!(report(&world, &tripled).await, ORDERS);
    for one in &placed {
        let order = world.until(one, OrderStatus::Fulfilled).await;
        assert_eq!(order.tickets.len(), 2);
        let steps = order.timeline.iter().filter(|entry| entry.what == "paid");
        assert!(steps.count() <= 1);
    }
    let orders = ORDERS as i64;
    let paid = "SELECT count(*) FROM order_events WHERE to_status = 'paid'";
    assert_eq!(world.count(paid).await, orders);
    let told = "SELECT count(*) FROM outbox WHERE kind = 'order_paid'";
    assert_eq!(world.count(told).await, orders);
    assert_eq!(i64::from(world.tickets.books().commits), orders);
    eventually(
        "all events are applied",
        Duration::from_secs(60),
        || async {
            let applied = "SELECT count(*) FROM provider_events WHERE state = 'applied'";
            (world.count(applied).await == orders).then_some(())
        },
    )
    .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_payments_of_an_order_at_the_same_moment_one_goes_back() {
    let world = World::start().await;
    let mut pairs = Vec::new();
    for _ in 0..ORDERS {
        pairs.push(with_two_attempts(&world).await);
    }
    world.hook.copies(0);
    all_paid(&world).await;
    let both = pairs
        .iter()
        .enumerate()
        .flat_map(|(number, (first, second))| {
            let id = |attempt: u8| format!("evt_{number}_{attempt}");
            [(id(1), first), (id(2), second)]
        });
    let both: Vec<(String, &Placed)> = both.collect();
    assert_eq!(report(&world, &both).await, 2 * ORDERS);
    for (first, second) in &pairs {
        world.until(second, OrderStatus::Fulfilled).await;
        let order = eventually("one is back", Duration::from_secs(60), || async {
            let order = world.order(second, false).await;
            (!order.refunds.is_empty()).then_some(order)
        })
        .await;
        assert_eq!(order.refunds.len(), 1);
        assert_eq!(order.refunds[0].reason(), RefundReason::SecondPayment);
        eventually("the money is back", Duration::from_secs(60), || async {
            let back = world.sent_back(first).await + world.sent_back(second).await;
            (back == 9000).then_some(())
        })
        .await;
    }
    world.end().await;
}
