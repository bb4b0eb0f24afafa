//! An admin moves an order to another address, for a guest who has no proof of the purchase any more.

use kit::ErrorReason;
use proto::payment::{ChangeAddressRequest, ChangeAddressResponse};
use testkit::keys;
use tonic::Status;

use crate::{
    desk::Clerk,
    world::{Placed, World, failure},
};

const RIGHT: &str = "ada@example.com";

fn change(placed: &Placed) -> ChangeAddressRequest {
    ChangeAddressRequest {
        order_id: placed.order.id.clone(),
        email: RIGHT.to_owned(),
        reason: "Named number, price and card.".to_owned(),
        idempotency_key: keys::idempotency_key(),
    }
}

impl World {
    async fn change_address(
        &self,
        clerk: Clerk,
        request: ChangeAddressRequest,
    ) -> Result<ChangeAddressResponse, Status> {
        let answer = self.admin().change_address(clerk.asks(request)).await?;
        Ok(answer.into_inner())
    }
}

#[tokio::test]
async fn the_old_link_dies_the_new_address_gets_the_receipt_and_it_is_on_record() {
    let world = World::start().await;
    let placed = world.sold().await;
    let clerk = Clerk::admin();
    world.tickets.grant(&clerk.id());
    let request = change(&placed);
    // The same key is one change.
    for _ in 0..2 {
        let changed = world.change_address(clerk, request.clone()).await.unwrap();
        assert_eq!(changed.email, RIGHT);
    }
    let old = world.resend(&placed, &keys::idempotency_key()).await;
    assert_eq!(failure(old).reason, ErrorReason::NotFound);
    let receipts = world.receipts().await;
    let sent: Vec<(u32, &str)> = receipts
        .iter()
        .map(|paid| (paid.revision, paid.email.as_str()))
        .collect();
    assert_eq!(sent, [(0, "ada@example.org"), (1, RIGHT)]);
    let link = world.open("order-link", &receipts[1].sealed_order_link);
    let (_, secret) = link.rsplit_once('/').unwrap();
    let theirs = Placed {
        secret: secret.to_owned(),
        ..placed.clone()
    };
    assert_eq!(world.order(&theirs, false).await.email, RIGHT);
    let told = world.told_corrected(&placed).await;
    assert_eq!((told.len(), told[0].message_ids.len()), (1, 1));
    let recorded: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "SELECT actor, object, before::text, after::text, reason FROM audit_entries
         WHERE action = 'order.change_address'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let [(actor, object, before, after, reason)] = recorded.as_slice() else {
        panic!("{recorded:?}");
    };
    assert_eq!((actor, object), (&clerk.id(), &placed.order.id));
    assert_eq!(reason, "Named number, price and card.");
    assert!(before.contains("\"link\": 1") && after.contains("\"link\": 2"));
    // The record is never rewritten, and a guest may be erased.
    assert!(!before.contains('@') && !after.contains('@'));
    let story = "SELECT count(*) FROM order_events WHERE reason = 'address_corrected'";
    assert_eq!(world.count(story).await, 1);
    let reused = ChangeAddressRequest {
        email: "eve@example.org".to_owned(),
        ..request
    };
    let reused = failure(world.change_address(clerk, reused).await);
    assert_eq!(reused.reason, ErrorReason::IdempotencyKeyReused);
    world.end().await;
}

#[tokio::test]
async fn only_who_may_on_this_event_and_only_with_a_reason() {
    let world = World::start().await;
    let placed = world.sold().await;
    let foreign = world.change_address(Clerk::admin(), change(&placed)).await;
    assert_eq!(failure(foreign).reason, ErrorReason::NotFound);
    for (field, email, reason) in [
        ("email", "ada", "A typo."),
        ("email", "ada@example.org", "A typo."),
        ("reason", RIGHT, ""),
    ] {
        let request = ChangeAddressRequest {
            email: email.to_owned(),
            reason: reason.to_owned(),
            ..change(&placed)
        };
        let bad = failure(world.change_address(Clerk::superadmin(), request).await);
        assert_eq!(bad.reason, ErrorReason::InvalidRequest);
        assert_eq!(bad.fields[0].field, field);
    }
    assert_eq!(world.order(&placed, false).await.email, "ada@example.org");
    world.confirm_all().await;
    let superadmin = Clerk::superadmin();
    world.erase(superadmin, &placed, false).await.unwrap();
    let erased = failure(world.change_address(superadmin, change(&placed)).await);
    assert_eq!(erased.reason, ErrorReason::OrderNotOpen);
    let receipts = "SELECT count(*) FROM outbox WHERE kind = 'order_paid'";
    assert_eq!(world.count(receipts).await, 1, "the first one");
    world.end().await;
}

#[tokio::test]
async fn two_at_once_are_one_change() {
    let world = World::start().await;
    let placed = world.sold().await;
    let request = change(&placed);
    let clerk = Clerk::superadmin();
    let (one, two) = tokio::join!(
        world.change_address(clerk, request.clone()),
        world.change_address(clerk, request.clone()),
    );
    assert_eq!(
        (one.unwrap().email, two.unwrap().email),
        (RIGHT.to_owned(), RIGHT.to_owned())
    );
    assert_eq!(world.receipts().await.len(), 2);
    world.end().await;
}
