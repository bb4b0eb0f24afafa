//! Deadlines: a dead hold is dead to everybody at once, and its stock comes back.

use std::time::Duration;

use kit::ErrorReason;
use proto::ticket::{HoldStatus, OrderAnswer};
use testkit::keys;

use crate::shop::{Shop, refused};

/// Waits until the sweeper has been here.
async fn swept(shop: &Shop, hold: &crate::shop::Held) {
    testkit::eventually(
        "the sweeper ends the hold",
        Duration::from_secs(10),
        || async {
            let status: String = sqlx::query_scalar("SELECT status FROM holds WHERE id = $1")
                .bind(hold.uuid())
                .fetch_one(&shop.db)
                .await
                .unwrap();
            (status == "expired").then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_hold_is_dead_at_once_and_its_stock_returns() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(5).await;
    let held = shop.hold(event, ticket_type, 5).await;
    shop.age(&held).await;
    assert_eq!(shop.get_hold(&held).await.status(), HoldStatus::Expired);
    refused(
        shop.try_begin(shop.order(), &held).await,
        ErrorReason::HoldExpired,
    );
    assert_eq!(
        shop.release_hold(&held).await.unwrap().status(),
        HoldStatus::Expired
    );
    swept(&shop, &held).await;
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    refused(
        shop.try_begin(shop.order(), &held).await,
        ErrorReason::HoldExpired,
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_for_a_dead_hold() {
    let shop = Shop::open().await;
    // Several rounds, so that the sweeper cannot have been faster in all of them.
    for _ in 0..5 {
        let (event, ticket_type) = shop.on_sale(2).await;
        let held = shop.hold(event, ticket_type, 1).await;
        let (_, paying) = shop.paying(event, ticket_type, 1).await;
        shop.age(&held).await;
        shop.age(&paying).await;
        let next = shop
            .try_hold(event, &[(ticket_type, 2)], &keys::idempotency_key())
            .await;
        assert_eq!(next.unwrap().hold.unwrap().status(), HoldStatus::Active);
        assert_eq!(shop.counters(ticket_type).await, (2, 0));
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_took_too_long_gives_its_stock_back() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1).await;
    let (order, held) = shop.paying(event, ticket_type, 1).await;
    shop.age(&held).await;
    refused(shop.try_begin(order, &held).await, ErrorReason::HoldExpired);
    swept(&shop, &held).await;
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    // Its late payment finds free stock.
    assert_eq!(shop.commit(order).await.answer(), OrderAnswer::Committed);
    assert_eq!(shop.counters(ticket_type).await, (0, 1));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_payment_is_not_refused_for_a_dead_hold() {
    let shop = Shop::open().await;
    for _ in 0..5 {
        let (event, ticket_type) = shop.on_sale(1).await;
        let (late, _) = shop.paying(event, ticket_type, 1).await;
        shop.release_order(late).await;
        let blocking = shop.hold(event, ticket_type, 1).await;
        shop.age(&blocking).await;
        assert_eq!(shop.commit(late).await.answer(), OrderAnswer::Committed);
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_a_dead_hold_shows_it_dead() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(5).await;
    let (key, lines) = (keys::idempotency_key(), [(ticket_type, 1)]);
    let held = shop.try_hold(event, &lines, &key).await.unwrap();
    shop.age(&held.clone().into()).await;
    let replay = shop.try_hold(event, &lines, &key).await.unwrap();
    assert_eq!(replay.hold.unwrap().status(), HoldStatus::Expired);
    shop.close().await;
}

/// 12,000 dead copies of the one hold that there is, each with its line and its ledger row.
async fn wave(shop: &Shop) {
    sqlx::raw_sql(
        "CREATE TEMP TABLE wave ON COMMIT DROP AS
         SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid AS id
         FROM generate_series(1, 12000) n;
         UPDATE pools SET capacity = 20000, held = held + 12000
         WHERE id = (SELECT pool_id FROM inventory_ledger);
         INSERT INTO holds (id, event_id, status, expires_at, body_hash, secret_key_id,
                            secret_generation, currency, total_minor)
         SELECT w.id, event_id, status, clock_timestamp() - interval '1 minute', body_hash,
                secret_key_id, secret_generation, currency, total_minor
         FROM wave w, (SELECT * FROM holds LIMIT 1) h;
         INSERT INTO hold_lines
         SELECT w.id, line, ticket_type_id, category, quantity, unit_price_minor
         FROM wave w, (SELECT * FROM hold_lines LIMIT 1) l;
         INSERT INTO inventory_ledger
         SELECT w.id, pool_id, line, transition, held_delta, sold_delta
         FROM wave w, (SELECT * FROM inventory_ledger LIMIT 1) l;",
    )
    .execute(&mut *shop.db.acquire().await.unwrap())
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_of_dead_holds_is_swept_in_batches() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(5).await;
    let held = shop.hold(event, ticket_type, 1).await;
    wave(&shop).await;
    testkit::eventually("the wave is swept", Duration::from_secs(10), || async {
        (shop.counters(ticket_type).await == (1, 0)).then_some(())
    })
    .await;
    assert_eq!(shop.get_hold(&held).await.status(), HoldStatus::Active);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_for_a_dead_hold_behind_a_wave_of_them() {
    // Several rounds, so that the sweeper cannot have been faster in all of them.
    for _ in 0..3 {
        let shop = Shop::open().await;
        let (event, stalls) = shop.on_sale(5).await;
        let balcony = shop.ticket_type(event, Some(1)).await;
        shop.hold(event, stalls, 1).await;
        wave(&shop).await;
        // Its id sorts after those of the wave.
        let last = shop.hold(event, balcony, 1).await;
        shop.age(&last).await;
        let lines = [(balcony, 1)];
        let next = shop.try_hold(event, &lines, &keys::idempotency_key()).await;
        assert_eq!(next.unwrap().hold.unwrap().status(), HoldStatus::Active);
        shop.close().await;
    }
}
