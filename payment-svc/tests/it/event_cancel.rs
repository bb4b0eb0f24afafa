//! An event is cancelled: every order of it ends, and no money stays here.

use std::time::Duration;

use kit::ErrorReason;
use proto::{
    event::envelope::Payload,
    payment::{GetEventRefundRequest, GetEventRefundResponse, OrderStatus, RefundStatus},
};
use testkit::eventually;

use crate::{
    desk::Clerk,
    till::{CARD, NEVER_REFUNDS, an_amount, id},
    world::{Placed, World, failure, reference},
};

const EVENT: &str = "0190b6a2-7c1e-7000-8000-0123456789ab";

async fn progress(world: &World) -> Option<GetEventRefundResponse> {
    let request = Clerk::superadmin().asks(GetEventRefundRequest {
        event_id: EVENT.to_owned(),
    });
    let answer = world.refunds.clone().get_event_refund(request).await;
    answer.ok().map(tonic::Response::into_inner)
}

async fn until_finished(world: &World) -> GetEventRefundResponse {
    eventually("every order has ended", Duration::from_secs(60), || async {
        world.hurry().await;
        progress(world)
            .await
            .filter(|now| now.finished_at.is_some())
    })
    .await
}

async fn free(world: &World) -> Placed {
    let placed = Placed::from(world.place(world.wish_for(1, 0)).await.unwrap());
    world.until(&placed, OrderStatus::Fulfilled).await;
    placed
}

#[tokio::test]
async fn orders_in_every_state_come_to_their_end() {
    let world = World::start().await;
    let (sold, partly) = (world.sold().await, world.sold().await);
    let refund = world.refund(an_amount(&partly, 4000)).await.unwrap();
    world.until_refund(&refund, RefundStatus::Succeeded).await;
    let free = free(&world).await;
    let cancelled = world.placed().await;
    world.cancel(&cancelled).await.unwrap();
    let open = world.placed().await;
    // Paid, and nobody here knows yet.
    world.hook.copies(0);
    let paying = world.placed().await;
    world.submit(&reference(&paying.order), CARD).await.unwrap();
    assert!(progress(&world).await.is_none());

    world.tickets.cancel_event("The hall is flooded.");
    let done = until_finished(&world).await;
    assert_eq!(
        (done.orders_total, done.orders_done, done.orders_stuck),
        (6, 6, 0)
    );
    assert_eq!(done.refunded[0].amount_minor, 27_000);
    assert_eq!(done.outstanding[0].amount_minor, 0);

    for (placed, status, back, messages) in [
        (&sold, OrderStatus::Refunded, 9000, 1),
        (&partly, OrderStatus::Refunded, 9000, 2),
        (&free, OrderStatus::Fulfilled, 0, 1),
        (&cancelled, OrderStatus::Cancelled, 0, 0),
        (&open, OrderStatus::Cancelled, 0, 0),
        (&paying, OrderStatus::Refunded, 9000, 1),
    ] {
        assert_eq!(world.order(placed, false).await.status(), status);
        if placed.order.id != free.order.id {
            assert_eq!(world.sent_back(placed).await, back);
        }
        let told = world.told(placed).await;
        assert_eq!(told.len(), messages, "{told:?}");
        assert_eq!(world.tickets.valid_tickets(&placed.order.id), 0);
    }
    let told = world.told(&sold).await;
    let [Payload::OrderCancelled(told)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(told.explanation, "The hall is flooded.");
    assert_eq!(told.refund.as_ref().unwrap().amount_minor, 9000);
    let told = world.told(&free).await;
    assert!(matches!(told.as_slice(), [Payload::OrderCancelled(told)] if told.refund.is_none()));
    let told = world.told(&paying).await;
    let [Payload::OrderUnfulfillable(told)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(told.reason, "EVENT_NOT_ACTIVE");
    let late = failure(world.place(world.wish()).await);
    assert_eq!(late.reason, ErrorReason::EventNotActive);
    world.end().await;
}

#[tokio::test]
async fn a_refund_that_fails_keeps_it_open_and_is_not_made_again() {
    let world = World::start().await;
    let (sold, stuck) = (world.sold().await, world.sold_to(NEVER_REFUNDS).await);
    world.tickets.cancel_event("");
    world.until(&sold, OrderStatus::Refunded).await;
    let failed = eventually("it fails", Duration::from_secs(60), || async {
        world.hurry().await;
        let request = proto::payment::ListRefundsRequest {
            status: RefundStatus::FailedFinal.into(),
            ..Default::default()
        };
        world
            .list(Clerk::superadmin(), request)
            .await
            .refunds
            .pop()?
            .refund
    })
    .await;
    let scans = world
        .count("SELECT scans::bigint FROM event_cancellations")
        .await;
    eventually("two more looks", Duration::from_secs(60), || async {
        world.hurry().await;
        (world
            .count("SELECT scans::bigint FROM event_cancellations")
            .await
            > scans + 1)
            .then_some(())
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 2);
    let now = progress(&world).await.unwrap();
    assert_eq!(
        (now.finished_at, now.orders_done, now.orders_stuck),
        (None, 1, 1)
    );
    assert_eq!(now.outstanding[0].amount_minor, 9000);
    world.settle(&failed).await.unwrap();
    until_finished(&world).await;
    assert_eq!(world.told(&stuck).await.len(), 1, "{}", id(&failed));
    world.end().await;
}

#[tokio::test]
async fn an_order_that_turns_up_later_is_found() {
    let world = World::start().await;
    let late = world.sold().await;
    // As if it were another event's until then.
    world
        .sql("UPDATE orders SET event_id = gen_random_uuid()")
        .await;
    world.tickets.cancel_event("");
    assert_eq!(until_finished(&world).await.orders_total, 0);
    world
        .sql("UPDATE orders SET event_id = '0190b6a2-7c1e-7000-8000-0123456789ab'")
        .await;
    eventually("it goes back", Duration::from_secs(60), || async {
        world.hurry().await;
        let order = world.order(&late, false).await;
        (order.status() == OrderStatus::Refunded).then_some(())
    })
    .await;
    assert_eq!(until_finished(&world).await.orders_done, 1);
    world.end().await;
}

#[tokio::test]
async fn killed_in_the_middle_it_begins_anew() {
    let mut world = World::start().await;
    let mut sold = Vec::new();
    for _ in 0..8 {
        sold.push(world.sold().await);
    }
    world.tickets.cancel_event("");
    for _ in 0..4 {
        world.crash();
        world.restart().await;
        world.hurry().await;
    }
    until_finished(&world).await;
    for placed in &sold {
        assert_eq!(world.sent_back(placed).await, 9000);
        assert_eq!(world.told(placed).await.len(), 1);
    }
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 8);
    world.end().await;
}

#[tokio::test]
async fn whoever_paid_twice_is_told_once() {
    let mut world = World::start().await;
    let placed = world.sold().await;
    world
        .sql("INSERT INTO payment_attempts (id, order_id, number, provider, provider_key, amount_minor,
                  currency, status, provider_ref, deadline, captured_minor, captured_currency, captured_at)
              SELECT gen_random_uuid(), order_id, 2, 'manual', 'second', 9000, 'EUR', 'succeeded', 'second',
                  deadline, 9000, 'EUR', clock_timestamp() FROM payment_attempts")
        .await;
    world.tickets.cancel_event("");
    eventually("both are on their way", Duration::from_secs(60), || async {
        world.hurry().await;
        let left = "SELECT count(*) FROM refunds WHERE submitted_at IS NOT NULL";
        (world.count(left).await == 2).then_some(())
    })
    .await;
    let told = world.told(&placed).await;
    let [Payload::OrderCancelled(told)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(told.refund.as_ref().unwrap().amount_minor, 18_000);
    // Nobody settles the second one, so there is no end to wait for.
    world.crash();
}
