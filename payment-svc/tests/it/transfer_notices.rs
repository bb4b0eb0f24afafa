//! A guest who pays by bank transfer is told where to, how much and by when.

use std::time::Duration;

use proto::{
    event::{OrderAwaitingTransfer, envelope::Payload},
    payment::{ConfirmPaymentRequest, OrderStatus},
};
use testkit::{eventually, keys};

use crate::{
    manual::{arrival, confirm, open, placed, reject},
    world::{Placed, World, reference},
};

const NOTICES: &str = "SELECT count(*) FROM outbox WHERE kind = 'order_awaiting_transfer'";

impl World {
    pub async fn notices(&self, placed: &Placed) -> Vec<OrderAwaitingTransfer> {
        let told = self.told(placed).await.into_iter();
        told.filter_map(|told| match told {
            Payload::OrderAwaitingTransfer(told) => Some(told),
            _ => None,
        })
        .collect()
    }
}

fn due(notice: &OrderAwaitingTransfer) -> (u32, i64) {
    (notice.number, notice.due.as_ref().unwrap().amount_minor)
}

#[tokio::test]
async fn once_it_waits_and_after_each_part() {
    let world = open().await;
    let placed = placed(&world).await;
    let told = world.notices(&placed).await;
    assert_eq!(told.len(), 1);
    assert_eq!(due(&told[0]), (1, 9000));
    // Amount and reference have fields of their own.
    assert_eq!(
        told[0].instructions,
        "Boxoffice GmbH, DE89 3704 0044 0532 0130 00"
    );
    assert_eq!(told[0].reference, reference(&placed.order));
    let payment = placed.order.payment.as_ref().unwrap();
    assert_eq!(told[0].pay_by, payment.expires_at);
    let facts = told[0].order.as_ref().unwrap();
    assert_eq!(facts.total.as_ref().unwrap().amount_minor, 9000);
    assert!(!facts.sealed_order_link.is_empty());

    let part = arrival(&placed, Some(2500));
    for _ in 0..2 {
        confirm(&world, part.clone()).await.unwrap();
    }
    confirm(&world, arrival(&placed, Some(500))).await.unwrap();
    let told = world.notices(&placed).await;
    let dues: Vec<_> = told.iter().map(due).collect();
    assert_eq!(dues, [(1, 9000), (2, 6500), (3, 6000)]);
    confirm(&world, arrival(&placed, None)).await.unwrap();
    world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(world.count(NOTICES).await, 3);
    world.end().await;
}

#[tokio::test]
async fn not_for_a_card_nor_for_money_that_comes_after_the_end() {
    let world = open().await;
    let (card, ended) = (world.placed().await, placed(&world).await);
    reject(&world, &ended).await.unwrap();
    let late = ConfirmPaymentRequest {
        idempotency_key: keys::idempotency_key(),
        ..arrival(&ended, Some(2500))
    };
    confirm(&world, late).await.unwrap();
    assert!(world.notices(&card).await.is_empty());
    assert_eq!(world.notices(&ended).await.len(), 1);
    assert_eq!(world.count(NOTICES).await, 1);
    world.end().await;
}

#[tokio::test]
async fn whoever_unsubscribed_is_not_asked_again() {
    let world = open().await;
    let placed = placed(&world).await;
    world.sql("UPDATE orders SET notices = false").await;
    confirm(&world, arrival(&placed, Some(2500))).await.unwrap();
    assert_eq!(world.notices(&placed).await.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn killed_before_the_reference_was_stored_it_tells_once() {
    let mut world = open().await;
    let placed = placed(&world).await;
    // As if it had died between asking for the reference and storing it.
    world.crash();
    world
        .sql(
            "UPDATE payment_attempts SET provider_ref = NULL, status = 'created';
             ALTER TABLE order_news DISABLE TRIGGER order_news_append_only;
             DELETE FROM order_news; DELETE FROM outbox;
             ALTER TABLE order_news ENABLE TRIGGER order_news_append_only",
        )
        .await;
    world.restart().await;
    eventually("it has its reference", Duration::from_secs(60), || async {
        world.hurry().await;
        let named = "SELECT count(*) FROM payment_attempts WHERE provider_ref IS NOT NULL";
        (world.count(named).await == 1).then_some(())
    })
    .await;
    world.hurry().await;
    assert_eq!(world.notices(&placed).await.len(), 1);
    world.end().await;
}
