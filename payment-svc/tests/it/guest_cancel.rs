//! A guest cancels a paid order by the rule of its event: exactly what was shown goes back.

use kit::ErrorReason;
use proto::{
    common::Money,
    event::{RefundCause, envelope::Payload},
    payment::{CancelOrderRequest, Order, OrderStatus, RefundReason},
    ticket::CancellationRule,
};
use tonic::Status;

use crate::{
    inventory::Terms,
    reminders::{in_hours, zone_at},
    till,
    world::{Placed, World, failure},
};

const RULE: CancellationRule = CancellationRule {
    allowed: true,
    until_hours: 48,
    fee_ppm: 100_000,
};

impl World {
    async fn cancel_for(&self, placed: &Placed, refund_minor: i64) -> Result<Order, Status> {
        let request = CancelOrderRequest {
            order_id: placed.order.id.clone(),
            secret: placed.secret.clone(),
            expected_refund: Some(eur(refund_minor)),
        };
        let answer = self.orders.clone().cancel_order(request).await?;
        Ok(answer.into_inner().order.unwrap())
    }

    async fn sold_by(&self, rule: CancellationRule) -> Placed {
        self.tickets.books().mood.cancellation = Some(rule);
        self.sold().await
    }
}

fn eur(amount_minor: i64) -> Money {
    let currency = "EUR".to_owned();
    Money {
        amount_minor,
        currency,
    }
}

#[tokio::test]
async fn what_was_shown_goes_back_and_the_tickets_are_void() {
    let world = World::start().await;
    let placed = world.sold_by(RULE).await;
    let shown = world.order(&placed, false).await.cancellation.unwrap();
    assert_eq!((shown.refund, shown.fee), (Some(eur(8100)), Some(eur(900))));
    let until = proto::timestamp_from(&shown.until.unwrap()).unwrap();
    assert_eq!(until, time::macros::datetime!(2031-06-10 18:00 UTC));
    let order = world.cancel_for(&placed, 8100).await.unwrap();
    assert_eq!(order.cancellation, None);
    assert_eq!(order.refunds[0].reason(), RefundReason::GuestCancelled);
    world.until(&placed, OrderStatus::PartiallyRefunded).await;
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), 0);
    assert_eq!(world.sent_back(&placed).await, 8100);
    // A lost answer: once more changes nothing, whatever is expected now.
    world.cancel_for(&placed, 8100).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 1);
    let told = world.told(&placed).await;
    let [Payload::OrderRefunded(told)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(
        (told.cause(), told.voided_tickets),
        (RefundCause::Requested, 2)
    );
    let story = world.order(&placed, false).await.timeline;
    assert!(story.iter().any(|entry| entry.what == "guest_cancelled"));
    let kept = "SELECT -sum(amount_minor)::bigint FROM account_entries
                WHERE account = 'cancellation_fees'";
    assert_eq!(world.count(kept).await, 900);
    assert_eq!(
        world
            .count("SELECT sum(amount_minor)::bigint FROM account_entries")
            .await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn no_rule_and_no_time_left_mean_no() {
    let world = World::start().await;
    let without = world.sold().await;
    assert_eq!(world.order(&without, false).await.cancellation, None);
    let refused = failure(world.cancel_for(&without, 9000).await);
    assert_eq!(refused.reason, ErrorReason::CancellationClosed);
    // As it always was.
    let plain = failure(world.cancel(&without).await);
    assert_eq!(plain.reason, ErrorReason::OrderNotOpen);
    let late = world.sold_by(RULE).await;
    world
        .sql("UPDATE orders SET event_date_time = clock_timestamp() + interval '47 hours 59 minutes'")
        .await;
    assert_eq!(world.order(&late, false).await.cancellation, None);
    let refused = failure(world.cancel_for(&late, 8100).await);
    assert_eq!(refused.reason, ErrorReason::CancellationClosed);
    // The end moves with the event.
    world
        .sql("UPDATE orders SET event_date_time = clock_timestamp() + interval '48 hours 1 minute'")
        .await;
    world.cancel_for(&late, 8100).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 1);
    world.until(&late, OrderStatus::PartiallyRefunded).await;
    world.end().await;
}

#[tokio::test]
async fn another_amount_than_shown_is_refused() {
    let world = World::start().await;
    let placed = world.sold_by(RULE).await;
    for other in [0, 8099, 8101, 9000] {
        let refused = failure(world.cancel_for(&placed, other).await);
        assert_eq!(refused.reason, ErrorReason::TotalChanged);
        let fact = ("refund_minor".to_owned(), "8100".to_owned());
        assert_eq!(refused.facts, [fact]);
    }
    // A ticket that goes back meanwhile changes what is left.
    let refund = world.refund(till::tickets(&placed, 1)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    let refused = failure(world.cancel_for(&placed, 8100).await);
    assert_eq!(refused.reason, ErrorReason::TotalChanged);
    world.cancel_for(&placed, 4050).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 2);
    world.until(&placed, OrderStatus::PartiallyRefunded).await;
    testkit::eventually(
        "both went back",
        std::time::Duration::from_secs(60),
        || async { (world.sent_back(&placed).await == 8550).then_some(()) },
    )
    .await;
    world.end().await;
}

#[tokio::test]
async fn the_rule_is_the_one_that_it_was_bought_by() {
    let world = World::start().await;
    let placed = world.sold_by(CancellationRule { fee_ppm: 0, ..RULE }).await;
    world.tickets.books().mood.cancellation = None;
    world.cancel_for(&placed, 9000).await.unwrap();
    world.until(&placed, OrderStatus::Refunded).await;
    assert_eq!(world.sent_back(&placed).await, 9000);
    // Its guest may ask again what became of it.
    world.cancel_for(&placed, 9000).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_free_order_is_given_back() {
    let mut world = World::start().await;
    let other = world.free().await;
    world.tickets.books().mood.cancellation = Some(RULE);
    let wish = world.wish_on(Terms {
        quantity: 2,
        price_minor: 0,
        fee_minor: 0,
        tax_rate_ppm: 0,
        currency: "EUR",
    });
    let placed = Placed::from(world.place(wish).await.unwrap());
    world.until(&placed, OrderStatus::Fulfilled).await;
    let shown = world.order(&placed, false).await.cancellation.unwrap();
    assert_eq!(shown.refund, Some(eur(0)));
    let order = world.cancel_for(&placed, 0).await.unwrap();
    assert_eq!(order.cancellation, None);
    assert_eq!(world.tickets.valid_tickets(&placed.order.id), 0);
    world.cancel_for(&placed, 0).await.unwrap();
    let notes = "SELECT count(*) FROM order_events WHERE reason = 'guest_cancelled'";
    assert_eq!(world.count(notes).await, 1);
    // Who gave the tickets back is not reminded. A round comes past all of an event's orders.
    for order in [&placed, &other] {
        world.has_tickets(order, in_hours(20), &zone_at(12)).await;
    }
    world.next_round().await;
    world.until_reminded(&other, 1).await;
    world.next_round().await;
    world.has_tickets(&other, in_hours(19), &zone_at(12)).await;
    world.next_round().await;
    world.until_reminded(&other, 2).await;
    assert!(world.reminders(&placed).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn many_at_once_are_one_refund() {
    let world = World::start().await;
    let placed = world.sold_by(RULE).await;
    let all = (0..8).map(|_| world.cancel_for(&placed, 8100));
    for done in futures::future::join_all(all).await {
        done.unwrap();
    }
    world.until(&placed, OrderStatus::PartiallyRefunded).await;
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 1);
    world.end().await;
}

#[tokio::test]
async fn what_a_guest_gives_up_is_on_record_without_their_name() {
    let world = World::start().await;
    let call = kit::CallContext {
        client: Some("2001:db8::7".parse().unwrap()),
        ..kit::CallContext::default()
    };
    let open = world.placed().await;
    let cancelled = kit::with_context(call.clone(), world.cancel(&open)).await;
    assert_eq!(cancelled.unwrap().status(), OrderStatus::Cancelled);
    let paid = world.sold_by(RULE).await;
    for _ in 0..2 {
        let cancelled = kit::with_context(call.clone(), world.cancel_for(&paid, 8100));
        cancelled.await.unwrap();
    }
    let lines: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "SELECT object, actor, action, address, coalesce(after, 'null')
         FROM (SELECT object, actor, action, address, after::text, seq, at FROM audit_entries) e
         ORDER BY at",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let by_guest = |order: &Order, after: &str| {
        let line = [order.id.as_str(), "guest", "order.cancel", "", after];
        line.map(str::to_owned).into()
    };
    assert_eq!(
        lines,
        [
            by_guest(&open.order, r#"{"status": "cancelled"}"#),
            by_guest(&paid.order, r#"{"currency": "EUR", "refund_minor": 8100}"#),
        ]
    );
    world.until(&paid, OrderStatus::PartiallyRefunded).await;
    world.end().await;
}
