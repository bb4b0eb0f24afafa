//! A mistyped address: the order moves with its link, and only for who placed it.

use std::time::Duration;

use kit::ErrorReason;
use proto::payment::{CorrectAddressRequest, CorrectAddressResponse};
use testkit::{eventually, keys};
use tonic::{Code, Status};

use crate::{
    till::CARD,
    world::{Placed, World, failure, reference},
};

const RIGHT: &str = "ada@example.com";

impl World {
    async fn correct(
        &self,
        placed: &Placed,
        email: &str,
        key: &str,
    ) -> Result<CorrectAddressResponse, Status> {
        let request = CorrectAddressRequest {
            order_id: placed.order.id.clone(),
            secret: placed.secret.clone(),
            purchase_proof: placed.proof.clone(),
            email: email.to_owned(),
            idempotency_key: key.to_owned(),
        };
        let answer = self.desk.clone().correct_address(request).await?;
        Ok(answer.into_inner())
    }

    async fn correct_once(
        &self,
        placed: &Placed,
        email: &str,
    ) -> Result<CorrectAddressResponse, Status> {
        self.correct(placed, email, &keys::idempotency_key()).await
    }
}

#[tokio::test]
async fn the_old_link_dies_and_a_receipt_goes_to_the_new_address() {
    let world = World::start().await;
    let placed = world.sold().await;
    let key = keys::idempotency_key();
    let corrected = world.correct(&placed, RIGHT, &key).await.unwrap();
    assert_eq!(corrected.order.as_ref().unwrap().email, RIGHT);
    assert_ne!(corrected.secret, placed.secret);
    let old = world.resend(&placed, &keys::idempotency_key()).await;
    assert_eq!(failure(old).reason, ErrorReason::NotFound);
    let now = Placed {
        secret: corrected.secret.clone(),
        ..placed.clone()
    };
    assert_eq!(world.order(&now, false).await.email, RIGHT);
    let receipts = world.receipts().await;
    let sent: Vec<(u32, &str)> = receipts
        .iter()
        .map(|paid| (paid.revision, paid.email.as_str()))
        .collect();
    assert_eq!(sent, [(0, "ada@example.org"), (1, RIGHT)]);
    let link = world.open("order-link", &receipts[1].sealed_order_link);
    assert!(link.ends_with(&corrected.secret), "the new one is mailed");
    // A lost answer: the same key with the old secret is told the new one, and nothing is sent twice.
    let again = world.correct(&placed, RIGHT, &key).await.unwrap();
    assert_eq!(again.secret, corrected.secret);
    assert_eq!(world.receipts().await.len(), 2);
    // A typo in the typo: the proof stays good.
    let third = world.correct_once(&now, "ada@example.net");
    let third = third.await.unwrap();
    // By now the first correction is history, and its repeat gets no secret any more.
    let late = failure(world.correct(&placed, RIGHT, &key).await);
    assert_eq!(late.reason, ErrorReason::NotFound);
    assert_ne!(third.secret, corrected.secret);
    world.end().await;
}

#[tokio::test]
async fn the_link_alone_moves_nothing() {
    let world = World::start().await;
    let (placed, other) = (world.sold().await, world.sold().await);
    for proof in ["", &placed.secret, &other.proof] {
        let stranger = Placed {
            proof: proof.to_owned(),
            ..placed.clone()
        };
        let refused = world.correct_once(&stranger, "eve@example.org");
        let refused = refused.await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        assert_eq!(refused.message(), "There is no such order.");
    }
    // Neither does the proof alone.
    let unlinked = Placed {
        secret: placed.proof.clone(),
        ..placed.clone()
    };
    let refused = world.correct_once(&unlinked, "eve@example.org");
    assert_eq!(failure(refused.await).reason, ErrorReason::NotFound);
    assert_eq!(world.order(&placed, false).await.email, "ada@example.org");
    // Five tries a day are all there are.
    let stranger = Placed {
        proof: "x".to_owned(),
        ..placed.clone()
    };
    for _ in 0..2 {
        let refused = world.correct_once(&stranger, "eve@example.org").await;
        assert_eq!(failure(refused).reason, ErrorReason::NotFound);
    }
    let often = world.correct_once(&stranger, "eve@example.org").await;
    assert_eq!(failure(often).reason, ErrorReason::TooManyRequests);
    // They use up nothing of who has the proof.
    world.correct_once(&placed, RIGHT).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn two_at_once_do_not_share_the_order() {
    let world = World::start().await;
    let placed = world.sold().await;
    let (one, two) = (keys::idempotency_key(), keys::idempotency_key());
    let (first, second) = tokio::join!(
        world.correct(&placed, RIGHT, &one),
        world.correct(&placed, "ada@example.net", &two),
    );
    assert_eq!(u32::from(first.is_ok()) + u32::from(second.is_ok()), 1);
    assert_eq!(world.receipts().await.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_bad_address_and_the_same_one_are_named() {
    let world = World::start().await;
    let placed = world.sold().await;
    for email in ["ada", "ada@example.org"] {
        let bad = world.correct_once(&placed, email);
        let bad = failure(bad.await);
        assert_eq!(bad.reason, ErrorReason::InvalidRequest);
        assert_eq!(bad.fields[0].field, "email");
    }
    let key = keys::idempotency_key();
    world.correct(&placed, RIGHT, &key).await.unwrap();
    let reused = failure(world.correct(&placed, "eve@example.org", &key).await);
    assert_eq!(reused.reason, ErrorReason::IdempotencyKeyReused);
    // Without the addresses: the story cannot be rewritten.
    let story: Vec<String> = sqlx::query_scalar("SELECT e::text FROM order_events e")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    assert!(
        story
            .iter()
            .any(|entry| entry.contains("address_corrected"))
    );
    assert!(!story.iter().any(|entry| entry.contains('@')));
    world.end().await;
}

#[tokio::test]
async fn an_order_without_tickets_moves_without_a_receipt() {
    let world = World::start().await;
    let placed = world.placed().await;
    let corrected = world.correct_once(&placed, RIGHT);
    let corrected = corrected.await.unwrap();
    assert_eq!(world.receipts().await.len(), 0);
    let now = Placed {
        secret: corrected.secret,
        ..placed
    };
    world.pay(&now.order).await;
    world
        .until(&now, proto::payment::OrderStatus::Fulfilled)
        .await;
    assert_eq!(world.receipts().await[0].email, RIGHT);
    world.end().await;
}

#[tokio::test]
async fn an_order_moves_only_so_often() {
    let world = World::start().await;
    let mut placed = world.sold().await;
    for try_number in 0..5 {
        let email = format!("ada-{try_number}@example.org");
        let corrected = world.correct_once(&placed, &email).await.unwrap();
        placed.secret = corrected.secret;
    }
    let often = world.correct_once(&placed, RIGHT).await;
    assert_eq!(failure(often).reason, ErrorReason::TooManyRequests);
    world.end().await;
}

/// What a correction writes, at a moment that a test chooses.
const MOVE: &str = "UPDATE orders SET email = 'right@example.org', secret_generation = 2";

#[tokio::test]
async fn a_code_that_was_asked_for_before_opens_nothing() {
    let world = World::start().await;
    let (moved, kept) = (world.sold().await, world.sold().await);
    let key = keys::idempotency_key();
    let asked = world.look_up("ada@example.org", &key);
    let asked = asked.await.unwrap();
    world.correct_once(&moved, RIGHT).await.unwrap();
    let code = world.mailed_code().await;
    let found = world.redeem(&asked.lookup_id, &code).await.unwrap();
    let found: Vec<&str> = found.iter().map(|order| order.id.as_str()).collect();
    assert_eq!(found, [&kept.order.id], "whoever reads the old mailbox");
    world.end().await;
}

#[tokio::test]
async fn the_first_receipt_goes_where_the_order_is_by_then() {
    let world = World::start().await;
    world.tickets.books().mood.commit_delay = Duration::from_secs(1);
    let placed = world.placed().await;
    let reference = reference(&placed.order);
    world.submit(&reference, CARD).await.unwrap();
    eventually(
        "the saga asks for tickets",
        Duration::from_secs(60),
        || async { (world.tickets.books().commits_begun > 0).then_some(()) },
    )
    .await;
    // The saga has read the order, and has no tickets yet.
    world.sql(MOVE).await;
    world.tickets.books().mood.commit_delay = Duration::ZERO;
    let receipts = eventually("a receipt", Duration::from_secs(60), || async {
        world.hurry().await;
        Some(world.receipts().await).filter(|receipts| !receipts.is_empty())
    })
    .await;
    let sent: Vec<(u32, &str)> = receipts
        .iter()
        .map(|paid| (paid.revision, paid.email.as_str()))
        .collect();
    assert_eq!(sent, [(0, "right@example.org")]);
    let fulfilled = "SELECT count(*) FROM orders WHERE status = 'fulfilled'";
    assert_eq!(world.count(fulfilled).await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_receipt_that_is_being_made_again_does_not_go_to_the_old_address() {
    let world = World::start().await;
    let placed = world.sold().await;
    let mut correcting = world.pool.begin().await.unwrap();
    sqlx::query(MOVE).execute(&mut *correcting).await.unwrap();
    let key = keys::idempotency_key();
    let (resend, ()) = tokio::join!(world.resend(&placed, &key), async {
        let waits = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually(
            "it waits for the order",
            Duration::from_secs(60),
            || async { (world.count(waits).await > 0).then_some(()) },
        )
        .await;
        correcting.commit().await.unwrap();
    });
    drop(resend);
    let receipts = world.receipts().await;
    let sent: Vec<&str> = receipts.iter().map(|paid| paid.email.as_str()).collect();
    assert_eq!(sent, ["ada@example.org"], "the first one and no other");
    world.end().await;
}
