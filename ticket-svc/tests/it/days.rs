//! The id of a hold has the day in it: one key is one hold all the same, also about midnight.

use std::sync::Arc;

use base::{EventId, TicketTypeId};
use kit::ErrorReason;
use testkit::keys;
use time::{Duration, Time};
use tonic::Code;

use crate::shop::{Held, Replica, Shop, refused};

/// Services whose clocks say so long before and after the coming midnight.
async fn about_midnight(shop: &Shop, apart: Duration) -> [Arc<Replica>; 2] {
    let midnight = shop.sources.now().replace_time(Time::MIDNIGHT) + Duration::DAY;
    [
        Arc::new(shop.replica_at(midnight - apart).await),
        Arc::new(shop.replica_at(midnight + apart).await),
    ]
}

async fn close(shop: Arc<Shop>, replicas: [Arc<Replica>; 2]) {
    for replica in replicas {
        Arc::into_inner(replica).unwrap().close().await;
    }
    Arc::into_inner(shop).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_yesterday_finds_its_hold() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(2).await;
    let replicas = about_midnight(&shop, Duration::HOUR).await;
    let [yesterday, today] = &replicas;
    let (lines, key) = ([(ticket_type, 2)], keys::idempotency_key());
    let first = yesterday.try_hold(event, &lines, &key).await.unwrap();
    // Nothing is left, and it is found before that is said.
    let replay = today.try_hold(event, &lines, &key).await.unwrap();
    assert_eq!((replay.hold, replay.secret), (first.hold, first.secret));
    let other = today.try_hold(event, &[(ticket_type, 1)], &key).await;
    refused(other, ErrorReason::IdempotencyKeyReused);
    assert_eq!(shop.counters(ticket_type).await, (2, 0));
    close(shop, replicas).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_again_among_others_finds_its_hold_and_they_get_theirs() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(9).await;
    let replicas = about_midnight(&shop, Duration::HOUR).await;
    let [yesterday, today] = &replicas;
    let (lines, key) = ([(ticket_type, 1)], keys::idempotency_key());
    let first = yesterday.try_hold(event, &lines, &key).await.unwrap();
    let others: [String; 4] = std::array::from_fn(|_| keys::idempotency_key());
    let keys = others.iter().chain([&key]);
    let calls = keys.map(|key| today.try_hold(event, &lines, key));
    let mut answers = futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(answers.pop().unwrap().hold, first.hold);
    assert_eq!(shop.counters(ticket_type).await, (5, 0));
    close(shop, replicas).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_day_before_yesterday_is_a_new_one() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(9).await;
    let replicas = about_midnight(&shop, Duration::hours(25)).await;
    let [long_ago, today] = &replicas;
    let (lines, key) = ([(ticket_type, 1)], keys::idempotency_key());
    let first = long_ago.try_hold(event, &lines, &key).await.unwrap();
    let second = today.try_hold(event, &lines, &key).await.unwrap();
    assert_ne!(Held::from(first).id, Held::from(second).id);
    close(shop, replicas).await;
}

/// Its first call is under way with the id of one day when it is repeated on the next, or the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_at_two_services_at_midnight_is_one_hold() {
    let shop = Arc::new(Shop::open().await);
    let replicas = about_midnight(&shop, Duration::SECOND).await;
    for order in [[0, 1], [1, 0]] {
        let (event, ticket_type) = shop.on_sale(9).await;
        let calls = order.map(|number| replicas[number].clone());
        let ids = at_once(&shop, event, ticket_type, calls).await;
        assert_eq!(ids[0], ids[1]);
        assert_eq!(shop.counters(ticket_type).await, (1, 0));
    }
    close(shop, replicas).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_to_a_slower_clock_finds_its_hold() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(2).await;
    let replicas = about_midnight(&shop, Duration::SECOND).await;
    let [slower, faster] = &replicas;
    let (lines, key) = ([(ticket_type, 2)], keys::idempotency_key());
    let first = faster.try_hold(event, &lines, &key).await.unwrap();
    let replay = slower.try_hold(event, &lines, &key).await.unwrap();
    assert_eq!(replay.hold, first.hold);
    close(shop, replicas).await;
}

/// One key at both, the second call while the first waits for the event's stock. The ids of their holds.
async fn at_once(
    shop: &Shop,
    event: EventId,
    ticket_type: TicketTypeId,
    replicas: [Arc<Replica>; 2],
) -> Vec<String> {
    let (lines, key) = ([(ticket_type, 1)], keys::idempotency_key());
    let mut jam = shop.db.begin().await.unwrap();
    sqlx::query("SELECT FROM pools WHERE event_id = $1 FOR UPDATE")
        .bind(event.uuid())
        .execute(&mut *jam)
        .await
        .unwrap();
    let mut calls = Vec::new();
    for (number, replica) in (1..).zip(replicas) {
        let key = key.clone();
        calls.push(tokio::spawn(async move {
            loop {
                match replica.try_hold(event, &lines, &key).await {
                    // They waited for too long, on a machine with much else to do.
                    Err(busy) if busy.code() == Code::Unavailable => {}
                    answer => return Held::from(answer.unwrap()).id,
                }
            }
        }));
        shop.waiting(number).await;
    }
    jam.rollback().await.unwrap();
    let mut ids = Vec::new();
    for call in calls {
        ids.push(call.await.unwrap());
    }
    ids
}
