//! Many at once: what is there is sold, and not one ticket more.

use std::time::Instant;

use kit::ErrorReason;
use proto::ticket as api;
use testkit::keys;
use tonic::Status;

use crate::shop::{Held, Shop, in_one_wait, refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_guests_buy_exactly_ten_tickets() {
    let shop = std::sync::Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(10).await;
    let guests: Vec<_> = (0..64)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move {
                let key = keys::idempotency_key();
                let held = Held::from(shop.try_hold(event, &[(ticket_type, 1)], &key).await?);
                let order = shop.order();
                shop.try_begin(order, &held).await?;
                Ok::<_, Status>(shop.commit(order).await.tickets.len())
            })
        })
        .collect();
    let mut sold = 0;
    for guest in guests {
        match guest.await.unwrap() {
            Ok(tickets) => sold += tickets,
            Err(status) => {
                let reason = kit::Failure::from_status(&status).reason;
                let expected = [ErrorReason::SoldOut, ErrorReason::HeldByOthers];
                assert!(expected.contains(&reason), "{status:?}");
            }
        }
    }
    assert_eq!(sold, 10);
    assert_eq!(shop.counters(ticket_type).await, (0, 10));
    std::sync::Arc::into_inner(shop).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_guests_race_for_the_last_ticket() {
    let shop = Shop::open().await;
    for _ in 0..10 {
        let (event, ticket_type) = shop.on_sale(1).await;
        let lines = [(ticket_type, 1)];
        let (one, two) = (keys::idempotency_key(), keys::idempotency_key());
        let (one, two) = tokio::join!(
            shop.try_hold(event, &lines, &one),
            shop.try_hold(event, &lines, &two)
        );
        let loser = match (one, two) {
            (Ok(_), loser) | (loser, Ok(_)) => loser,
            neither => panic!("{neither:?}"),
        };
        refused(loser, ErrorReason::HeldByOthers);
        assert_eq!(shop.counters(ticket_type).await, (1, 0));
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_one_call_make_one_hold() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1).await;
    let (key, lines) = (keys::idempotency_key(), [(ticket_type, 1)]);
    let copies = (0..8).map(|_| shop.try_hold(event, &lines, &key));
    let answers = futures::future::join_all(copies).await;
    let mut ids: Vec<_> = answers
        .into_iter()
        .map(|a| a.unwrap().hold.unwrap().id)
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(shop.counters(ticket_type).await, (1, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_of_the_same_types_in_any_order_do_not_deadlock() {
    let shop = Shop::open().await;
    let (event, one) = shop.on_sale(1000).await;
    let two = shop.ticket_type(event, Some(1000)).await;
    let forth: Vec<_> = (0..16)
        .map(|_| (vec![(one, 1), (two, 1)], keys::idempotency_key()))
        .collect();
    let back: Vec<_> = (0..16)
        .map(|_| (vec![(two, 1), (one, 1)], keys::idempotency_key()))
        .collect();
    let calls = forth
        .iter()
        .chain(&back)
        .map(|(lines, key)| shop.try_hold(event, lines, key));
    for answer in futures::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(
        (shop.counters(one).await, shop.counters(two).await),
        ((32, 0), (32, 0))
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_one_commit_issue_the_tickets_once() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let (order, _) = shop.paying(event, ticket_type, 3).await;
    let answers = futures::future::join_all((0..8).map(|_| shop.commit(order))).await;
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    assert_eq!(answers[0].tickets.len(), 3);
    assert_eq!(shop.counters(ticket_type).await, (0, 3));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_and_a_release_of_one_order_at_once_leave_one_truth() {
    let shop = Shop::open().await;
    for _ in 0..10 {
        let (event, ticket_type) = shop.on_sale(2).await;
        let (order, _) = shop.paying(event, ticket_type, 2).await;
        let (answer, ()) = tokio::join!(shop.commit(order), shop.release_order(order));
        // Released first, it is sold again from free stock.
        assert_eq!(answer.tickets.len(), 2);
        assert_eq!(shop.counters(ticket_type).await, (0, 2));
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_guest_who_waits_for_a_row_gets_what_is_given_back_meanwhile() {
    let shop = std::sync::Arc::new(Shop::open().await);
    let next = in_one_wait(async || Box::pin(given_back_meanwhile(&shop)).await).await;
    next.unwrap();
    std::sync::Arc::into_inner(shop).unwrap().close().await;
}

/// The answer to the guest who waits.
async fn given_back_meanwhile(
    shop: &std::sync::Arc<Shop>,
) -> (Instant, Result<api::HoldTicketsResponse, Status>) {
    let (event, ticket_type) = shop.on_sale(1).await;
    let held = shop.hold(event, ticket_type, 1).await;
    let mut stock = shop.db.begin().await.unwrap();
    sqlx::query("SELECT id FROM pools WHERE event_id = $1 FOR UPDATE")
        .bind(event.uuid())
        .fetch_all(&mut *stock)
        .await
        .unwrap();
    let begun = Instant::now();
    let released = tokio::spawn({
        let (shop, held) = (shop.clone(), held.clone());
        async move { shop.release_hold(&held).await.map(|_| ()) }
    });
    shop.waiting(1).await;
    // Its statement began while nothing was free.
    let next = tokio::spawn({
        let shop = shop.clone();
        async move {
            let key = keys::idempotency_key();
            shop.try_hold(event, &[(ticket_type, 1)], &key).await
        }
    });
    shop.waiting(2).await;
    stock.rollback().await.unwrap();
    released.await.unwrap().unwrap();
    let next = next.await.unwrap();
    let held = i64::from(next.is_ok());
    assert_eq!(shop.counters(ticket_type).await, (held, 0));
    (begun, next)
}
