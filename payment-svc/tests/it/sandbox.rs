//! Orders under the sandbox's less simple cards.

use proto::payment::{
    ApproveSandboxStepRequest, OrderStatus, SandboxSession, SandboxSessionStatus as Session,
    SettleSandboxSessionRequest,
};
use tonic::Status;

use crate::world::{Placed, World, failure, reference};

const ASKS_FIRST: &str = "4000002500003155";
const REPORTS_LATE: &str = "4000000000000077";
const PENDS: &str = "4000000000000119";

async fn approve(world: &World, placed: &Placed, approve: bool) -> SandboxSession {
    let reference = reference(&placed.order);
    let request = ApproveSandboxStepRequest { reference, approve };
    let answer = world.sandbox.clone().approve_sandbox_step(request).await;
    answer.unwrap().into_inner().session.unwrap()
}

async fn settle(world: &World, reference: &str, paid: bool) -> Result<SandboxSession, Status> {
    let request = SettleSandboxSessionRequest {
        reference: reference.to_owned(),
        paid,
    };
    let answer = world
        .sandbox
        .clone()
        .settle_sandbox_session(request)
        .await?;
    Ok(answer.into_inner().session.unwrap())
}

#[tokio::test]
async fn an_approved_second_step_pays_the_order() {
    let world = World::start().await;
    let placed = world.placed().await;
    let asked = world.submit(&reference(&placed.order), ASKS_FIRST).await;
    assert_eq!(asked.unwrap().status(), Session::Approval);
    let order = world.order(&placed, true).await;
    assert_eq!(order.status(), OrderStatus::AwaitingPayment);
    let paid = approve(&world, &placed, true).await;
    assert_eq!(paid.status(), Session::Succeeded);
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn a_refused_second_step_is_a_decline() {
    let world = World::start().await;
    let placed = world.placed().await;
    let asked = world.submit(&reference(&placed.order), ASKS_FIRST).await;
    assert_eq!(asked.unwrap().status(), Session::Approval);
    let declined = approve(&world, &placed, false).await;
    assert_eq!(declined.status(), Session::Declined);
    let key = testkit::keys::idempotency_key();
    let second = world.start_payment(&placed, &key).await.unwrap();
    world.pay(&second.order.unwrap()).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn before_the_late_webhook_the_guest_s_return_finds_the_money() {
    let world = World::start().await;
    let placed = world.placed().await;
    let paid = world.submit(&reference(&placed.order), REPORTS_LATE).await;
    assert_eq!(paid.unwrap().status(), Session::Succeeded);
    world.order(&placed, true).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(world.hook.seen().len(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_pending_payment_settles_either_way() {
    let world = World::start().await;
    for paid in [true, false] {
        let placed = world.placed().await;
        let session = reference(&placed.order);
        let pending = world.submit(&session, PENDS).await.unwrap();
        assert_eq!(pending.status(), Session::Pending);
        world.until(&placed, OrderStatus::Processing).await;
        let settled = settle(&world, &session, paid).await.unwrap();
        let (ended, order) = if paid {
            (Session::Succeeded, OrderStatus::Fulfilled)
        } else {
            (Session::Closed, OrderStatus::AwaitingPayment)
        };
        assert_eq!(settled.status(), ended);
        world.until(&placed, order).await;
        assert!(settle(&world, &session, !paid).await.is_err());
    }
    assert_eq!(world.count("SELECT count(*) FROM sandbox.ledger").await, 1);
    let unknown = failure(settle(&world, "sbx_nothing", true).await);
    assert_eq!(unknown.reason, kit::ErrorReason::NotFound);
    world.end().await;
}
