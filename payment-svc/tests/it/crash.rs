//! payment-svc dies between two steps, and another process on the same database goes on.

use kit::ErrorReason;
use proto::payment::OrderStatus;

use crate::world::{Placed, World, failure, reference};

/// The order's own row, whatever its guest was told.
async fn placed_before(world: &World, wish: &proto::payment::PlaceOrderRequest) -> Placed {
    Placed::from(world.place(wish.clone()).await.unwrap())
}

#[tokio::test]
async fn bound_and_not_recorded() {
    let mut world = World::start().await;
    world.tickets.books().mood.begin_answer_lost = true;
    let wish = world.wish();
    let unknown = failure(world.place(wish.clone()).await);
    assert_eq!(unknown.reason, ErrorReason::Unavailable);
    assert_eq!(
        world
            .count("SELECT count(*) FROM orders WHERE status = 'created'")
            .await,
        1
    );
    world.crash();
    world.tickets.books().mood.begin_answer_lost = false;
    world.restart().await;
    // Nobody replays: the saga finds the binding and opens the page.
    world.hurry().await;
    testkit::eventually(
        "a page to pay on",
        std::time::Duration::from_secs(60),
        || async {
            let query = "SELECT count(*) FROM payment_attempts WHERE checkout_url IS NOT NULL";
            world.hurry().await;
            (world.count(query).await == 1).then_some(())
        },
    )
    .await;
    let placed = placed_before(&world, &wish).await;
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn never_bound_it_is_cancelled_after_a_minute() {
    let world = World::start().await;
    let wish = world.wish();
    world.tickets.books().mood.begin_delay = std::time::Duration::from_secs(30);
    let recorded = testkit::eventually(
        "the order's row",
        std::time::Duration::from_secs(60),
        || async {
            let query = "SELECT count(*) FROM orders WHERE status = 'created'";
            (world.count(query).await == 1).then_some(())
        },
    );
    tokio::select! {
        answer = world.place(wish.clone()) => assert!(answer.unwrap().preparing),
        () = recorded => {}
    }
    let mut world = world;
    world.crash();
    world.tickets.books().mood.begin_delay = std::time::Duration::ZERO;
    world.tickets.expire(&wish.hold_id);
    world.restart().await;
    world.hurry().await;
    assert_eq!(
        world
            .count("SELECT count(*) FROM orders WHERE status = 'created'")
            .await,
        1
    );
    world.sql("UPDATE orders SET created_at = created_at - interval '61 s', next_step_at = clock_timestamp()").await;
    testkit::eventually("cancelled", std::time::Duration::from_secs(60), || async {
        world.hurry().await;
        (world
            .count("SELECT count(*) FROM orders WHERE status = 'cancelled'")
            .await
            == 1)
            .then_some(())
    })
    .await;
    assert_eq!(
        failure(world.place(wish).await).reason,
        ErrorReason::OrderNotOpen
    );
    world.end().await;
}

#[tokio::test]
async fn asked_for_a_page_and_not_recorded() {
    let mut world = World::start().await;
    let wish = world.wish();
    let before = placed_before(&world, &wish).await;
    world.crash();
    // As if the process had died between the provider's answer and the row.
    world.sql("UPDATE payment_attempts SET provider_ref = NULL, checkout_url = NULL, status = 'created'").await;
    world.restart().await;
    world.hurry().await;
    let order = testkit::eventually(
        "the page again",
        std::time::Duration::from_secs(60),
        || async {
            let order = world.order(&before, false).await;
            (!reference(&order).is_empty()).then_some(order)
        },
    )
    .await;
    assert_eq!(
        reference(&order),
        reference(&before.order),
        "the same key is the same payment"
    );
    assert_eq!(
        world.count("SELECT count(*) FROM sandbox.sessions").await,
        1
    );
    world.pay(&order).await;
    world.until(&before, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn paid_at_the_provider_while_nobody_was_there() {
    let mut world = World::start().await;
    let placed = world.placed().await;
    world.hook.copies(0);
    world.pay(&placed.order).await;
    world.crash();
    world.restart().await;
    world.hurry().await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn stored_the_webhook_and_died() {
    let mut world = World::start().await;
    let placed = world.placed().await;
    world.tickets.books().mood.commit_away = true;
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Paid).await;
    world.crash();
    world.tickets.books().mood.commit_away = false;
    world.restart().await;
    world.hurry().await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

/// One failure passes by itself; many in a row are told, and the telling ends with them.
#[tokio::test]
async fn an_order_that_does_not_get_on_is_put_before_a_person() {
    let world = World::start().await;
    let placed = world.placed().await;
    world.tickets.books().mood.commit_away = true;
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Paid).await;
    let why = testkit::eventually(
        "a person is asked",
        std::time::Duration::from_secs(60),
        || async {
            world.hurry().await;
            world.attention(&placed).await
        },
    );
    let why = why.await;
    assert!(why.contains("again and again"), "{why}");
    world.tickets.books().mood.commit_away = false;
    world.hurry().await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    let over = testkit::eventually(
        "nobody is asked",
        std::time::Duration::from_secs(60),
        || async { world.attention(&placed).await.is_none().then_some(()) },
    );
    over.await;
    world.end().await;
}

#[tokio::test]
async fn committed_and_not_recorded() {
    let mut world = World::start().await;
    let placed = world.placed().await;
    world.tickets.books().mood.commit_answer_lost = true;
    world.pay(&placed.order).await;
    testkit::eventually("a commit", std::time::Duration::from_secs(60), || async {
        (world.tickets.books().commits > 0).then_some(())
    })
    .await;
    world.crash();
    assert_eq!(world.count("SELECT count(*) FROM outbox").await, 0);
    world.tickets.books().mood.commit_answer_lost = false;
    world.restart().await;
    // The dead process may have left its lease.
    world.hurry().await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn cancelled_and_not_released() {
    let mut world = World::start().await;
    let placed = world.placed().await;
    world.tickets.books().mood.release_away = true;
    world.cancel(&placed).await.unwrap();
    world.crash();
    world.tickets.books().mood.release_away = false;
    world.restart().await;
    world.hurry().await;
    world.end().await;
}

/// Leases run out while their owners are still at work, so the same step is taken by several at once.
#[tokio::test]
async fn two_processes_drive_the_same_orders() {
    let mut world = World::start().await;
    let first = world.leave_running();
    world.restart().await;
    world.tickets.books().mood.commit_delay = std::time::Duration::from_millis(1500);
    let (one, two) = (world.placed().await, world.placed().await);
    world.pay(&one.order).await;
    world.pay(&two.order).await;
    testkit::eventually("fulfilled", std::time::Duration::from_secs(60), || async {
        world.hurry().await;
        let query = "SELECT count(*) FROM orders WHERE status = 'fulfilled'";
        (world.count(query).await == 2).then_some(())
    })
    .await;
    // A process looks each second, so within a commit the other one has come as well.
    testkit::eventually(
        "more commits than orders",
        std::time::Duration::from_secs(60),
        || async { (world.tickets.books().commits > 2).then_some(()) },
    )
    .await;
    world.end().await;
    first.shutdown_background();
}

/// Killed again and again at random moments of a purchase; some process gets it to its end.
#[tokio::test]
async fn killed_at_any_moment() {
    let mut world = World::start().await;
    for round in 0..6_u64 {
        let wish = world.wish();
        let answer = {
            let place = world.place(wish.clone());
            tokio::time::timeout(std::time::Duration::from_millis(5 + 12 * round), place).await
        };
        world.crash();
        world.restart().await;
        let _ = answer;
        let placed = placed_before(&world, &wish).await;
        world.pay(&placed.order).await;
        // Sleeps: each round the crash comes a little later.
        tokio::time::sleep(std::time::Duration::from_millis(7 * round)).await;
        world.crash();
        world.restart().await;
        world.hurry().await;
        world.until(&placed, OrderStatus::Fulfilled).await;
    }
    world.end().await;
}
