//! One that is slow delays nobody else.

use std::time::{Duration, Instant};

use kit::ErrorReason;
use proto::payment::{GetReceiptRequest, OrderStatus};
use testkit::eventually;

use crate::world::{World, failure};

#[tokio::test]
async fn an_order_that_waits_delays_no_other() {
    let world = World::start().await;
    let (slow, quick) = (world.placed().await, world.placed().await);
    world.tickets.books().mood.commit_delay = Duration::from_millis(7_500);
    world.pay(&slow.order).await;
    world.until(&slow, OrderStatus::Paid).await;
    eventually("its commit is under way", Duration::from_secs(60), || async {
        // A claimed order has a lease.
        let leased = "SELECT count(*) FROM orders WHERE status = 'paid' AND next_step_at > clock_timestamp() + interval '10 s'";
        (world.count(leased).await == 1).then_some(())
    })
    .await;
    // Sleeps: the call has left by then.
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.tickets.books().mood.commit_delay = Duration::ZERO;
    let paid = Instant::now();
    world.pay(&quick.order).await;
    world.until(&quick, OrderStatus::Fulfilled).await;
    assert!(
        paid.elapsed() < Duration::from_secs(6),
        "{:?}",
        paid.elapsed()
    );
    assert_eq!(
        world.order(&slow, false).await.status(),
        OrderStatus::Paid,
        "the slow one was still at work"
    );
    // It would say that its tickets are not its guest's any more.
    let mut client = world.orders.clone();
    let early = client.get_receipt(GetReceiptRequest {
        order_id: slow.order.id.clone(),
        secret: slow.secret.clone(),
        money_only: true,
    });
    let early = failure(early.await);
    assert_eq!(early.reason, ErrorReason::TicketsNotReady);
    world.until(&slow, OrderStatus::Fulfilled).await;
    world.end().await;
}

/// More than fit into one batch of any size that would be sane.
#[tokio::test]
async fn thousands_of_events_are_applied_within_seconds() {
    let world = World::start().await;
    let placed = world.placed().await;
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    let stored = Instant::now();
    world
        .sql(
            "INSERT INTO provider_events (id, provider, event_id, kind, subject, reference,
                 amount_minor, currency, body)
             SELECT gen_random_uuid(), 'sandbox', 'evt_copy_' || n, 'payment.succeeded', 'payment',
                 provider_ref, 9000, 'EUR', ''
             FROM payment_attempts, generate_series(1, 2000) n",
        )
        .await;
    eventually("all are applied", Duration::from_secs(60), || async {
        let left = "SELECT count(*) FROM provider_events WHERE state = 'received'";
        (world.count(left).await == 0).then_some(())
    })
    .await;
    println!("2,000 events applied in {:?}", stored.elapsed());
    assert_eq!(world.tickets.books().commits, 1);
    world.end().await;
}
