//! The receipt again.

use kit::{Code, ErrorReason};
use prost::Message as _;
use proto::{
    event::{Envelope, OrderPaid, envelope::Payload},
    payment::{ResendReceiptRequest, ResendReceiptResponse, SendReceiptRequest},
};
use testkit::keys;
use tonic::Status;

use crate::{
    desk::Clerk,
    till,
    world::{Placed, World, failure},
};

impl World {
    pub async fn resend(
        &self,
        placed: &Placed,
        key: &str,
    ) -> Result<ResendReceiptResponse, Status> {
        let request = ResendReceiptRequest {
            order_id: placed.order.id.clone(),
            secret: placed.secret.clone(),
            idempotency_key: key.to_owned(),
        };
        Ok(self
            .desk
            .clone()
            .resend_receipt(request)
            .await?
            .into_inner())
    }

    /// Every receipt in the outbox, by its revision.
    pub async fn receipts(&self) -> Vec<OrderPaid> {
        let rows: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT envelope FROM outbox WHERE kind = 'order_paid'")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        let read = |row: Vec<u8>| match Envelope::decode(row.as_slice()).unwrap().payload {
            Some(Payload::OrderPaid(paid)) => paid,
            other => panic!("{other:?}"),
        };
        let mut receipts: Vec<OrderPaid> = rows.into_iter().map(read).collect();
        receipts.sort_by_key(|paid| paid.revision);
        receipts
    }
}

#[tokio::test]
async fn the_receipt_comes_again_with_the_tickets_of_now() {
    let world = World::start().await;
    let placed = world.sold().await;
    let refund = world.refund(till::tickets(&placed, 1)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    let key = keys::idempotency_key();
    let answer = world.resend(&placed, &key).await.unwrap();
    assert_eq!(answer.email, "ada@example.org");
    // A lost answer: the same key is one mail.
    world.resend(&placed, &key).await.unwrap();
    let receipts = world.receipts().await;
    let revisions: Vec<u32> = receipts.iter().map(|paid| paid.revision).collect();
    assert_eq!(revisions, [0, 1]);
    assert_eq!(
        (receipts[0].tickets.len(), receipts[1].tickets.len()),
        (2, 1)
    );
    world.end().await;
}

#[tokio::test]
async fn an_admin_sends_the_receipt_of_now_and_that_is_on_record() {
    let world = World::start().await;
    let placed = world.sold().await;
    let refund = world.refund(till::tickets(&placed, 1)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    let send = async |clerk: Clerk, key: &str| {
        let request = clerk.asks(SendReceiptRequest {
            order_id: placed.order.id.clone(),
            idempotency_key: key.to_owned(),
        });
        world.admin().send_receipt(request).await
    };
    let key = keys::idempotency_key();
    // The same key is one mail, and one entry.
    for _ in 0..2 {
        let sent = send(Clerk::superadmin(), &key).await.unwrap();
        assert_eq!(sent.into_inner().email, "ada@example.org");
    }
    let receipts = world.receipts().await;
    assert_eq!((receipts.len(), receipts[1].tickets.len()), (2, 1));
    let recorded = "SELECT count(*) FROM audit_log WHERE action = 'receipt.send'";
    assert_eq!(world.count(recorded).await, 1);
    let nobody = failure(send(Clerk::admin(), &keys::idempotency_key()).await);
    assert_eq!(nobody.reason, ErrorReason::NotFound);
    // Unlike a guest, an admin is not told to wait; nothing is sent where no ticket is valid.
    for _ in 0..4 {
        send(Clerk::superadmin(), &keys::idempotency_key())
            .await
            .unwrap();
    }
    let refund = world.refund(till::tickets(&placed, 1)).await.unwrap();
    world
        .until_refund(&refund, proto::payment::RefundStatus::Succeeded)
        .await;
    let late = failure(send(Clerk::superadmin(), &keys::idempotency_key()).await);
    assert_eq!(late.reason, ErrorReason::TicketsNotReady);
    world.end().await;
}

#[tokio::test]
async fn it_comes_only_so_often() {
    let world = World::start().await;
    let placed = world.sold().await;
    for _ in 0..3 {
        world
            .resend(&placed, &keys::idempotency_key())
            .await
            .unwrap();
    }
    let often = failure(world.resend(&placed, &keys::idempotency_key()).await);
    assert_eq!(
        (often.code, often.reason),
        (Code::ResourceExhausted, ErrorReason::TooManyRequests)
    );
    let wait = often.retry_after.unwrap().as_secs();
    assert!((3_000..=3_600).contains(&wait), "{wait}");
    assert_eq!(world.receipts().await.len(), 4);
    // Another order is not held up, and an hour later it is free again.
    let other = world.sold().await;
    world
        .resend(&other, &keys::idempotency_key())
        .await
        .unwrap();
    world
        .sql("UPDATE desk_limits SET window_start = window_start - interval '1 hour'")
        .await;
    world
        .resend(&placed, &keys::idempotency_key())
        .await
        .unwrap();
    world.end().await;
}

#[tokio::test]
async fn many_at_once_are_counted_one_by_one() {
    let world = World::start().await;
    let placed = world.sold().await;
    let wishes = (0..12).map(|_| async {
        let key = keys::idempotency_key();
        world.resend(&placed, &key).await.is_ok()
    });
    let sent = futures::future::join_all(wishes).await;
    assert_eq!(sent.into_iter().filter(|sent| *sent).count(), 3);
    world.end().await;
}

#[tokio::test]
async fn there_must_be_tickets() {
    let world = World::start().await;
    let placed = world.placed().await;
    let early = failure(world.resend(&placed, &keys::idempotency_key()).await);
    assert_eq!(early.reason, ErrorReason::TicketsNotReady);
    let foreign = Placed {
        secret: "x".to_owned(),
        ..placed.clone()
    };
    let absent = failure(world.resend(&foreign, &keys::idempotency_key()).await);
    assert_eq!(absent.reason, ErrorReason::NotFound);
    world.end().await;
}
