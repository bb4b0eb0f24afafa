//! Deadlines: a dead hold is dead to everybody at once, and its stock comes back.

use std::time::Duration;

use kit::ErrorReason;
use proto::ticket::{HoldStatus, OrderAnswer, ResumePoolRequest, Witness};
use testkit::keys;

use crate::shop::{Shop, by, refused, refused_field};

/// Waits until the sweeper has been here.
async fn swept(shop: &Shop, hold: &crate::shop::Held) {
    testkit::eventually(
        "the sweeper ends the hold",
        Duration::from_secs(60),
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
async fn whoever_ends_one_dead_hold_keeps_nobody_from_the_stock_of_another() {
    let shop = Shop::open().await;
    // Several rounds, so that the sweeper cannot have been faster in all of them.
    for _ in 0..5 {
        let (event, ticket_type) = shop.on_sale(2).await;
        let busy = shop.hold(event, ticket_type, 1).await;
        let other = shop.hold(event, ticket_type, 1).await;
        shop.age(&busy).await;
        shop.age(&other).await;
        let mut tx = shop.db.begin().await.unwrap();
        sqlx::query("SELECT FROM holds WHERE id = $1 FOR UPDATE")
            .bind(busy.uuid())
            .execute(&mut *tx)
            .await
            .unwrap();
        let key = keys::idempotency_key();
        let next = shop.try_hold(event, &[(ticket_type, 1)], &key).await;
        assert_eq!(next.unwrap().hold.unwrap().status(), HoldStatus::Active);
        tx.rollback().await.unwrap();
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_wait_for_a_dead_hold_that_somebody_else_is_about_to_end() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1).await;
    let dying = shop.hold(event, ticket_type, 1).await;
    let later =
        "UPDATE holds SET expires_at = clock_timestamp() + interval '1 second' WHERE id = $1";
    let later = sqlx::query(later).bind(dying.uuid());
    later.execute(&shop.db).await.unwrap();
    // Locked before it is dead, so that the sweeper cannot end it.
    let mut tx = shop.db.begin().await.unwrap();
    sqlx::query("SELECT FROM holds WHERE id = $1 FOR UPDATE")
        .bind(dying.uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    testkit::eventually("the hold is dead", Duration::from_secs(20), || async {
        let dead =
            "SELECT expires_at <= clock_timestamp() AND status = 'active' FROM holds WHERE id = $1";
        let dead = sqlx::query_scalar::<_, bool>(dead).bind(dying.uuid());
        dead.fetch_one(&shop.db).await.unwrap().then_some(())
    })
    .await;
    let (key, lines) = (keys::idempotency_key(), [(ticket_type, 1)]);
    let guest = shop.try_hold(event, &lines, &key);
    let owner = async {
        // Sleeps: whoever does not wait is refused meanwhile.
        tokio::time::sleep(Duration::from_millis(300)).await;
        tx.rollback().await.unwrap();
    };
    let (next, ()) = tokio::join!(guest, owner);
    assert_eq!(next.unwrap().hold.unwrap().status(), HoldStatus::Active);
    shop.close().await;
}

/// Of so few that are not over the planner believes that a dead one is soon met, and reads on to the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_past_is_not_read_for_a_hold_that_may_be_dead() {
    const PAST: i64 = 100_000;
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1).await;
    shop.hold(event, ticket_type, 1).await;
    let mut tx = shop.db.begin().await.unwrap();
    // They come and go, so no figures are kept of them.
    for statement in [
        "ALTER TABLE holds DISABLE TRIGGER holds_count_traffic",
        "INSERT INTO holds (id, event_id, status, expires_at, ended_at, body_hash, secret_key_id,
             secret_generation, currency, total_minor)
         SELECT gen_random_uuid(), e.id, CASE WHEN n % 33 = 0 THEN 'active' ELSE 'expired' END,
             now() + interval '1 day', CASE WHEN n % 33 > 0 THEN now() END, sha256(''), 'past', 1, 'EUR', 1
         FROM events e, generate_series(1, 100000) n",
        "ALTER TABLE holds ENABLE TRIGGER holds_count_traffic",
    ] {
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    sqlx::query("ANALYZE holds")
        .execute(&shop.db)
        .await
        .unwrap();
    let read = async || -> i64 {
        let read = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'holds'";
        sqlx::query_scalar(read).fetch_one(&shop.db).await.unwrap()
    };
    let before = read().await;
    for _ in 0..20 {
        let key = keys::idempotency_key();
        let answer = shop.try_hold(event, &[(ticket_type, 1)], &key).await;
        refused(answer, ErrorReason::HeldByOthers);
        // Sleeps: for a tenth of a second a shortage counts as looked into. Figures are told once in a second.
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    assert!(read().await - before < PAST);
    let past = "DELETE FROM holds WHERE secret_key_id = 'past'";
    sqlx::query(past).execute(&shop.db).await.unwrap();
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

/// Makes the counter of a type's own pool say that nothing is held.
async fn forget_held(shop: &Shop, ticket_type: base::TicketTypeId) -> uuid::Uuid {
    sqlx::query_scalar(
        "UPDATE pools SET held = 0 FROM ticket_types t
         WHERE t.id = $1 AND pools.id = t.pool_id RETURNING pools.id",
    )
    .bind(ticket_type.uuid())
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

fn resume(shop: &Shop, pool: uuid::Uuid, believe: Witness) -> tonic::Request<ResumePoolRequest> {
    let request = ResumePoolRequest {
        pool_id: pool.to_string(),
        believe: believe.into(),
        note: "Looked into it.".to_owned(),
    };
    by(&format!("superadmin:{}", shop.owner), request)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_with_too_low_a_counter_keeps_no_other_hold_alive() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let (other_event, other) = shop.on_sale(10).await;
    let stuck = shop.hold(event, stalls, 2).await;
    let held = shop.hold(other_event, other, 3).await;
    let paying = shop.paying(other_event, other, 1).await.1;
    let pool = forget_held(&shop, stalls).await;
    for hold in [&stuck, &held, &paying] {
        shop.age(hold).await;
    }
    swept(&shop, &held).await;
    swept(&shop, &paying).await;
    assert_eq!(shop.counters(other).await, (0, 0));
    testkit::eventually("the pool is halted", Duration::from_secs(60), || async {
        let halted: bool =
            sqlx::query_scalar("SELECT halted_at IS NOT NULL FROM pools WHERE id = $1")
                .bind(pool)
                .fetch_one(&shop.db)
                .await
                .unwrap();
        halted.then_some(())
    })
    .await;
    // Those that die while it is halted, too.
    let later = shop.hold(other_event, other, 1).await;
    shop.age(&later).await;
    swept(&shop, &later).await;
    let mut audit = shop.audit.clone();
    let counters = audit.resume_pool(resume(&shop, pool, Witness::Counters));
    refused_field(counters.await, "believe");
    let ledger = audit.resume_pool(resume(&shop, pool, Witness::Ledger));
    ledger.await.unwrap();
    testkit::eventually("it is swept as well", Duration::from_secs(60), || async {
        (shop.counters(stalls).await == (0, 0)).then_some(())
    })
    .await;
    swept(&shop, &stuck).await;
    shop.close().await;
}

/// The auditor may have been quick enough to halt what a test has put right again.
async fn unhalt(shop: &Shop) {
    sqlx::query("UPDATE pools SET halted_at = NULL, halt_reason = '' WHERE halted_at IS NOT NULL")
        .execute(&shop.db)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_frees_what_it_can() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, Some(10)).await;
    let stuck = shop.hold(event, stalls, 2).await;
    shop.hold(event, balcony, 3).await;
    let pool = forget_held(&shop, stalls).await;
    shop.cancel_event(event, "rain").await;
    assert_eq!(shop.counters(balcony).await, (0, 0));
    sqlx::query("UPDATE pools SET held = 2 WHERE id = $1")
        .bind(pool)
        .execute(&shop.db)
        .await
        .unwrap();
    shop.age(&stuck).await;
    swept(&shop, &stuck).await;
    unhalt(&shop).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_dead_holds_does_not_fail_of_one_that_cannot_end() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, Some(1)).await;
    let stuck = shop.hold(event, stalls, 2).await;
    let (late, _) = shop.paying(event, balcony, 1).await;
    shop.release_order(late).await;
    let blocking = shop.hold(event, balcony, 1).await;
    forget_held(&shop, stalls).await;
    shop.age(&stuck).await;
    shop.age(&blocking).await;
    // The late payment ends the dead holds of the event.
    assert_eq!(shop.commit(late).await.answer(), OrderAnswer::Committed);
    sqlx::query(
        "UPDATE pools SET held = 2 FROM ticket_types t WHERE t.id = $1 AND pools.id = t.pool_id",
    )
    .bind(stalls.uuid())
    .execute(&shop.db)
    .await
    .unwrap();
    swept(&shop, &stuck).await;
    unhalt(&shop).await;
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
    testkit::eventually("the wave is swept", Duration::from_secs(60), || async {
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
