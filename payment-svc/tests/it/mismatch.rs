//! A payment that is not what was asked for, and what a person decides about it.

use std::time::Duration;

use kit::ErrorReason;
use proto::payment::{
    AttemptStatus, MismatchDecision, Order, OrderStatus, RefundReason, ResolveMismatchRequest,
    SandboxSessionStatus, VerifyPaymentRequest,
};
use testkit::eventually;
use tonic::Status;

use crate::{
    desk::Clerk,
    webhooks::{event, signed},
    world::{Placed, SECRET, World, failure},
};

async fn resolve(
    world: &World,
    placed: &Placed,
    decision: MismatchDecision,
) -> Result<Order, Status> {
    let request = Clerk::superadmin().asks(ResolveMismatchRequest {
        order_id: placed.order.id.clone(),
        decision: decision.into(),
        note: "As agreed by phone.".to_owned(),
    });
    let answer = world.admin().resolve_mismatch(request).await?;
    Ok(answer.into_inner().order.unwrap())
}

/// 1.00 EUR came for 90.00 EUR.
async fn too_little_came(world: &World) -> Placed {
    let placed = world.placed().await;
    world
        .sql("UPDATE sandbox.sessions SET amount_minor = 100 WHERE status = 'open'")
        .await;
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Mismatch).await;
    // The event is odd by itself; what came is recorded as soon as the provider has been asked.
    let captured = eventually("the money", Duration::from_secs(60), || async {
        let payment = world.order(&placed, false).await.payment.unwrap();
        let ended = payment.status() == AttemptStatus::Succeeded;
        payment.captured.filter(|_| ended)
    });
    assert_eq!(captured.await.amount_minor, 100);
    placed
}

/// An event speaks of another amount; nothing came.
async fn an_odd_event_came(world: &World, id: &str) -> Placed {
    let placed = world.placed().await;
    let body = event(id, "payment.succeeded", &placed, 100);
    let sent = signed(&body, SECRET);
    world.events.clone().receive_event(sent).await.unwrap();
    world.until(&placed, OrderStatus::Mismatch).await;
    placed
}

#[tokio::test]
async fn accepted_it_is_sold() {
    let world = World::start().await;
    let placed = too_little_came(&world).await;
    assert!(world.attention(&placed).await.is_some());
    resolve(&world, &placed, MismatchDecision::Accept)
        .await
        .unwrap();
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!((order.tickets.len(), order.refunds.len()), (2, 0));
    assert_eq!(world.attention(&placed).await, None);
    // Once more changes nothing, and another decision comes too late.
    resolve(&world, &placed, MismatchDecision::Accept)
        .await
        .unwrap();
    for late in [MismatchDecision::Refund, MismatchDecision::Cancel] {
        let refused = failure(resolve(&world, &placed, late).await);
        assert_eq!(refused.reason, ErrorReason::OrderNotOpen);
    }
    let decisions = "SELECT count(*) FROM audit_log
        WHERE action = 'mismatch.resolve' AND after->>'decision' = 'accept'
          AND (before->>'total_amount_minor', before->'captured'->0->>'amount_minor') = ('9000', '100')";
    assert_eq!(world.count(decisions).await, 1);
    world.end().await;
}

/// Two payments came; one is what the order is sold for.
#[tokio::test]
async fn accepted_it_keeps_one_payment_only() {
    let mut world = World::start().await;
    let placed = too_little_came(&world).await;
    world
        .sql("INSERT INTO payment_attempts (id, order_id, number, provider, provider_key, amount_minor,
                  currency, status, provider_ref, deadline, captured_minor, captured_currency, captured_at)
              SELECT gen_random_uuid(), order_id, 2, 'manual', 'second', 9000, 'EUR', 'succeeded', 'second',
                  deadline, 9000, 'EUR', clock_timestamp() FROM payment_attempts")
        .await;
    resolve(&world, &placed, MismatchDecision::Accept)
        .await
        .unwrap();
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    let [refund] = order.refunds.as_slice() else {
        panic!("{:?}", order.refunds);
    };
    assert_eq!(refund.reason(), RefundReason::SecondPayment);
    assert_eq!(refund.amount.as_ref().unwrap().amount_minor, 9000);
    // Nobody pays the second one out, so there is no end to wait for.
    world.crash();
}

#[tokio::test]
async fn refunded_it_goes_back_whole() {
    let world = World::start().await;
    let placed = too_little_came(&world).await;
    // Something came: there is nothing to cancel.
    let refused = failure(resolve(&world, &placed, MismatchDecision::Cancel).await);
    assert_eq!(refused.reason, ErrorReason::OrderNotOpen);
    resolve(&world, &placed, MismatchDecision::Refund)
        .await
        .unwrap();
    let order = world.until(&placed, OrderStatus::Refunded).await;
    let refund = &order.refunds[0];
    assert_eq!(order.refunds.len(), 1);
    assert_eq!(refund.reason(), RefundReason::Mismatch);
    assert_eq!(refund.amount.as_ref().unwrap().amount_minor, 100);
    assert_eq!(world.sent_back(&placed).await, 100);
    assert_eq!(world.tickets.books().commits, 0);
    world.end().await;
}

#[tokio::test]
async fn where_nothing_came_the_order_is_cancelled() {
    let world = World::start().await;
    let placed = an_odd_event_came(&world, "evt_odd").await;
    for too_early in [MismatchDecision::Accept, MismatchDecision::Refund] {
        let refused = failure(resolve(&world, &placed, too_early).await);
        assert_eq!(refused.reason, ErrorReason::OrderNotPaid);
    }
    let order = resolve(&world, &placed, MismatchDecision::Cancel)
        .await
        .unwrap();
    assert_eq!(order.status(), OrderStatus::Cancelled);
    let page = world.pay(&placed.order).await;
    assert_eq!(page.status(), SandboxSessionStatus::Closed);
    resolve(&world, &placed, MismatchDecision::Cancel)
        .await
        .unwrap();
    world.end().await;
}

#[tokio::test]
async fn money_that_was_faster_is_not_cancelled() {
    let world = World::start().await;
    let placed = an_odd_event_came(&world, "evt_odd").await;
    world.hook.copies(0);
    world.pay(&placed.order).await;
    let refused = failure(resolve(&world, &placed, MismatchDecision::Cancel).await);
    assert_eq!(refused.reason, ErrorReason::OrderNotOpen);
    let order = world.order(&placed, false).await;
    assert_eq!(order.status(), OrderStatus::Mismatch);
    assert_eq!(
        order.payment.unwrap().captured.unwrap().amount_minor,
        9000,
        "the provider was asked, and its answer is recorded"
    );
    resolve(&world, &placed, MismatchDecision::Accept)
        .await
        .unwrap();
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn an_admin_has_the_provider_asked() {
    let world = World::start().await;
    world.hook.copies(0);
    let placed = world.placed().await;
    world.pay(&placed.order).await;
    let request = Clerk::superadmin().asks(VerifyPaymentRequest {
        order_id: placed.order.id.clone(),
    });
    let order = world.admin().verify_payment(request).await.unwrap();
    let order = order.into_inner().order.unwrap();
    assert!(matches!(
        order.status(),
        OrderStatus::Paid | OrderStatus::Fulfilled
    ));
    world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(
        world
            .count("SELECT count(*) FROM audit_log WHERE action = 'payment.verify'")
            .await,
        1
    );
    world.end().await;
}

#[tokio::test]
async fn a_decision_is_for_an_order_that_waits_for_one() {
    let world = World::start().await;
    let placed = world.placed().await;
    for decision in [
        MismatchDecision::Accept,
        MismatchDecision::Refund,
        MismatchDecision::Cancel,
    ] {
        let refused = failure(resolve(&world, &placed, decision).await);
        assert_eq!(refused.reason, ErrorReason::OrderNotOpen);
    }
    let none = failure(resolve(&world, &placed, MismatchDecision::Unspecified).await);
    assert_eq!(none.fields[0].field, "decision");
    let order = world.order(&placed, false).await;
    assert_eq!(order.status(), OrderStatus::AwaitingPayment);
    world.end().await;
}
