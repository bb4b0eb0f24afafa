//! The record of what admins did with orders and their money.

use kit::CallContext;
use proto::audit::{AuditEntry, ListAuditRequest};
use serde_json::Value;

use crate::{
    desk::Clerk,
    inventory::EVENT,
    till::{an_amount, id},
    world::World,
};

async fn record(world: &World, clerk: Clerk, wish: ListAuditRequest) -> Vec<AuditEntry> {
    let answer = world.record.clone().list_audit(clerk.asks(wish)).await;
    answer.unwrap().into_inner().entries
}

#[tokio::test]
async fn a_refund_is_on_record_with_who_why_and_from_where() {
    let world = World::start().await;
    let placed = world.sold().await;
    let clerk = Clerk::admin();
    world.tickets.grant(&clerk.id());
    let call = CallContext {
        client: Some("2001:db8::7".parse().unwrap()),
        ..CallContext::default()
    };
    let refund = world.refund_as(clerk, an_amount(&placed, 1000));
    let refund = kit::with_context(call, refund).await.unwrap();
    let entries = record(&world, clerk, ListAuditRequest::default()).await;
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!(
        (&entry.object, entry.object_kind.as_str()),
        (&id(&refund), "refund")
    );
    assert_eq!((entry.action.as_str(), entry.seq), ("refund.request", 1));
    assert_eq!(
        (&entry.actor, entry.event_id.as_str()),
        (&clerk.id(), EVENT)
    );
    assert_eq!(entry.address, "2001:db8::7");
    assert!(entry.before.is_empty(), "there was no refund before");
    let after: Value = serde_json::from_str(&entry.after).unwrap();
    assert_eq!(after["amount_minor"], 1000);
    assert_eq!(entry.reason, after["note"]);
    world.settle_down(&placed).await;
    world.end().await;
}

#[tokio::test]
async fn the_record_is_read_by_those_who_may_see_the_order() {
    let world = World::start().await;
    let (first, second) = (world.sold().await, world.sold().await);
    let (own, foreign, boss) = (Clerk::admin(), Clerk::admin(), Clerk::superadmin());
    world.tickets.grant(&own.id());
    world.refund_as(boss, an_amount(&first, 500)).await.unwrap();
    world.refund_as(own, an_amount(&second, 700)).await.unwrap();
    let all = ListAuditRequest::default;
    assert_eq!(record(&world, own, all()).await.len(), 2);
    assert_eq!(record(&world, boss, all()).await.len(), 2);
    assert!(record(&world, foreign, all()).await.is_empty());
    let by_own = ListAuditRequest {
        actor: own.id(),
        action: "refund".to_owned(),
        ..all()
    };
    let by_own = record(&world, boss, by_own).await;
    assert_eq!(by_own.len(), 1);
    assert_eq!(by_own[0].actor, own.id());
    for placed in [&first, &second] {
        world.settle_down(placed).await;
    }
    world.end().await;
}

impl World {
    /// Until the money has gone back.
    async fn settle_down(&self, placed: &crate::world::Placed) {
        let partly = proto::payment::OrderStatus::PartiallyRefunded;
        self.until(placed, partly).await;
    }
}
