//! A mistyped address: the order moves with its link, and only for who placed it.

use std::time::Duration;

use kit::ErrorReason;
use proto::{
    event::{AddressCorrected, envelope::Payload},
    payment::{CorrectAddressRequest, CorrectAddressResponse},
};
use testkit::{eventually, keys};
use tonic::{Code, Status};

use crate::{
    manual,
    till::{self, CARD},
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

    /// What notify-svc was told of corrections, oldest first.
    pub async fn told_corrected(&self, placed: &Placed) -> Vec<AddressCorrected> {
        let told = self.told(placed).await.into_iter();
        told.filter_map(|payload| match payload {
            Payload::AddressCorrected(told) => Some(told),
            _ => None,
        })
        .collect()
    }

    /// The ids of what was written about the order, by kind, oldest first.
    pub async fn written(&self, placed: &Placed, kinds: &[&str]) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT id::text FROM outbox WHERE order_id = $1::uuid AND kind = ANY($2)
             ORDER BY created_at, id",
        )
        .bind(&placed.order.id)
        .bind(kinds)
        .fetch_all(&self.pool)
        .await
        .unwrap()
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
async fn what_is_on_its_way_to_the_old_address_is_withdrawn() {
    let world = World::start().await;
    let mut placed = world.sold().await;
    let ticket = world.tickets_of(&placed).await[0].id.clone();
    world
        .hand_on(world.handing_on(&placed, &ticket))
        .await
        .unwrap();
    let refund = world.refund(till::an_amount(&placed, 100)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    let before = world.written(&placed, &["order_paid", "order_refunded"]);
    let before = before.await;
    assert_eq!(before.len(), 2);
    let corrected = world.correct_once(&placed, RIGHT).await.unwrap();
    let told = world.told_corrected(&placed).await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].email.as_str(), told[0].generation), (RIGHT, 2));
    // Not what went to whom a ticket was handed to, and not the receipt that goes to the new address.
    assert_eq!(told[0].message_ids, before);
    let link = world.open("order-link", &told[0].sealed_order_link);
    assert!(link.ends_with(&corrected.secret));
    assert!(!told[0].sealed_unsubscribe_link.is_empty());
    placed.secret = corrected.secret;
    world
        .correct_once(&placed, "ada@example.net")
        .await
        .unwrap();
    let told = world.told_corrected(&placed).await;
    let all = world.written(&placed, &["order_paid", "order_refunded"]);
    let all = all.await;
    assert_eq!(
        (told[1].generation, &told[1].message_ids[..]),
        (3, &all[..3])
    );
    world.end().await;
}

#[tokio::test]
async fn how_to_pay_by_transfer_is_told_the_new_address_too() {
    let world = manual::open().await;
    let placed = manual::placed(&world).await;
    manual::confirm(&world, manual::arrival(&placed, Some(2500)))
        .await
        .unwrap();
    let corrected = world.correct_once(&placed, RIGHT).await.unwrap();
    let told = world.notices(&placed).await;
    let told: Vec<_> = told
        .iter()
        .map(|told| {
            let due = told.due.as_ref().unwrap().amount_minor;
            (
                told.number,
                due,
                told.order.as_ref().unwrap().email.as_str(),
            )
        })
        .collect();
    let old = "ada@example.org";
    assert_eq!(told, [(1, 9000, old), (2, 6500, old), (3, 6500, RIGHT)]);
    let facts = world.notices(&placed).await.pop().unwrap().order.unwrap();
    let link = world.open("order-link", &facts.sealed_order_link);
    assert!(link.ends_with(&corrected.secret));
    assert_eq!(world.told_corrected(&placed).await[0].message_ids.len(), 2);
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

/// Corrects the order while somebody else has it, who does this to it in the meantime.
async fn corrected_during(world: &World, placed: &Placed, step: &'static str) {
    let mut other = world.pool.begin().await.unwrap();
    let taken = sqlx::query("SELECT id FROM orders FOR UPDATE");
    taken.execute(&mut *other).await.unwrap();
    let (corrected, ()) = tokio::join!(world.correct_once(placed, RIGHT), async {
        until_somebody_waits(world).await;
        sqlx::raw_sql(step).execute(&mut *other).await.unwrap();
        other.commit().await.unwrap();
    });
    corrected.unwrap();
}

#[tokio::test]
async fn tickets_that_came_meanwhile_are_sent_to_the_new_address() {
    let world = World::start().await;
    let placed = world.sold().await;
    world.sql("UPDATE orders SET status = 'paid'").await;
    corrected_during(&world, &placed, "UPDATE orders SET status = 'fulfilled'").await;
    let receipts = world.receipts().await;
    let sent: Vec<&str> = receipts.iter().map(|paid| paid.email.as_str()).collect();
    assert_eq!(sent, ["ada@example.org", RIGHT]);
    world.end().await;
}

#[tokio::test]
async fn a_transfer_that_was_asked_for_meanwhile_is_told_the_new_address() {
    let mut world = manual::open().await;
    let placed = manual::placed(&world).await;
    world.crash();
    world
        .sql(
            "CREATE TABLE kept AS SELECT id, status, provider_ref FROM payment_attempts;
             UPDATE payment_attempts SET provider_ref = NULL, status = 'created';
             UPDATE orders SET next_step_at = NULL",
        )
        .await;
    world.restart().await;
    let asked = "UPDATE payment_attempts a SET provider_ref = k.provider_ref, status = k.status
                 FROM kept k WHERE k.id = a.id";
    corrected_during(&world, &placed, asked).await;
    let told = world.notices(&placed).await;
    let told: Vec<_> = told
        .iter()
        .map(|told| told.order.as_ref().unwrap().email.as_str())
        .collect();
    assert_eq!(told, ["ada@example.org", RIGHT]);
    world.end().await;
}

/// For a lock.
async fn until_somebody_waits(world: &World) {
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually(
        "it waits for the order",
        Duration::from_secs(60),
        || async { (world.count(waits).await > 0).then_some(()) },
    )
    .await;
}

#[tokio::test]
async fn a_receipt_that_is_being_made_again_does_not_go_to_the_old_address() {
    let world = World::start().await;
    let placed = world.sold().await;
    let mut correcting = world.pool.begin().await.unwrap();
    sqlx::query(MOVE).execute(&mut *correcting).await.unwrap();
    let key = keys::idempotency_key();
    let (resend, ()) = tokio::join!(world.resend(&placed, &key), async {
        until_somebody_waits(&world).await;
        correcting.commit().await.unwrap();
    });
    drop(resend);
    let receipts = world.receipts().await;
    let sent: Vec<&str> = receipts.iter().map(|paid| paid.email.as_str()).collect();
    assert_eq!(sent, ["ada@example.org"], "the first one and no other");
    world.end().await;
}
