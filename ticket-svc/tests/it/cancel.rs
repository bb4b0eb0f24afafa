//! An event that will not happen: nothing of it is sold any more, and the answer to that is final.

use std::time::Instant;

use base::UserId;
use kit::ErrorReason;
use proto::ticket::{self as api, Availability, EventStatus, HoldStatus, OrderAnswer};
use testkit::{Direction, keys};
use tonic::Request;

use crate::shop::{Shop, begin_request, by, in_one_wait, refused, refused_field};

fn cancel(event: &str, expected_version: i64) -> api::CancelEventRequest {
    api::CancelEventRequest {
        event_id: event.to_owned(),
        expected_version,
        reason: "The cello is ill.\nWe are sorry.".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_final_on_record_and_repeatable() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(5).await;
    let (id, mut admin) = (event.to_string(), shop.admin.clone());
    refused(
        admin.cancel_event(shop.own(cancel(&id, 7))).await,
        ErrorReason::VersionMismatch,
    );
    let mut long = cancel(&id, 0);
    long.reason = "x".repeat(501);
    refused_field(admin.cancel_event(shop.own(long)).await, "reason");

    let cancelled = admin.cancel_event(shop.own(cancel(&id, 1))).await;
    let cancelled = cancelled.unwrap().into_inner().event.unwrap();
    assert_eq!(
        (cancelled.status(), cancelled.version),
        (EventStatus::Cancelled, 2)
    );
    assert_eq!(cancelled.availability(), Availability::Cancelled);
    assert_eq!(cancelled.cancel_reason, "The cello is ill.\nWe are sorry.");
    // With the version of before, and with another reason: it is what it is.
    let mut again = cancel(&id, 1);
    again.reason.clear();
    let again = admin.cancel_event(shop.own(again)).await.unwrap();
    assert_eq!(again.into_inner().event.unwrap(), cancelled);
    assert_eq!(shop.own_event(event).await, cancelled);
    let recorded: (String, String, String) = sqlx::query_as(
        "SELECT before->>'status', after->>'cancel_reason', actor::text FROM audit_log
         WHERE action = 'event.cancelled'",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap();
    let reason = cancelled.cancel_reason.clone();
    assert_eq!(
        recorded,
        ("active".to_owned(), reason, shop.owner.to_string())
    );

    let revive = shop.own(api::UpdateEventRequest {
        event_id: id.clone(),
        status: EventStatus::Active.into(),
        ..Default::default()
    });
    refused(
        admin.update_event(revive).await,
        ErrorReason::EventNotActive,
    );
    let hold = shop
        .try_hold(event, &[(ticket_type, 1)], &keys::idempotency_key())
        .await;
    refused(hold, ErrorReason::EventNotActive);
    let get = api::GetEventRequest { id_or_slug: id };
    refused(
        shop.catalog.clone().get_event(get).await,
        ErrorReason::NotFound,
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_edit_it_cancel_it() {
    let shop = Shop::open().await;
    let (one, two) = (shop.event().await, shop.event().await);
    let mut admin = shop.admin.clone();
    let request = cancel(&one.to_string(), 0);
    refused(
        admin.cancel_event(Request::new(request.clone())).await,
        ErrorReason::Unauthenticated,
    );
    let stranger = format!("admin:{}", UserId::new(&shop.sources));
    refused(
        admin.cancel_event(by(&stranger, request.clone())).await,
        ErrorReason::NotFound,
    );
    assert_eq!(shop.own_event(one).await.status(), EventStatus::Active);
    let superadmin = format!("superadmin:{}", UserId::new(&shop.sources));
    admin.cancel_event(by(&superadmin, request)).await.unwrap();
    // A draft can be cancelled as well.
    shop.set_event_status(two, "inactive").await;
    let draft = shop.cancel_event(two, "").await;
    assert_eq!(draft.status(), EventStatus::Cancelled);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_whose_commit_had_no_answer_is_made_once() {
    let (shop, wire) = Shop::open_behind_a_proxy().await;
    let event = shop.event().await;
    // One cut for it, and one more because the sweeper may meet the first.
    wire.cut_after(Direction::Up, "COMMIT", 2);
    assert_eq!(shop.cancel_event(event, "").await.version, 2);
    wire.cut_after(Direction::Up, "COMMIT", 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_held_is_free_at_once_and_what_is_being_paid_at_the_next_step() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let bought = {
        let (order, held) = shop.paying(event, ticket_type, 1).await;
        shop.commit(order).await;
        (order, held)
    };
    let active = shop.hold(event, ticket_type, 2).await;
    let (order, paying) = shop.paying(event, ticket_type, 3).await;
    let (late, _) = shop.paying(event, ticket_type, 1).await;
    assert_eq!(shop.counters(ticket_type).await, (6, 1));
    shop.cancel_event(event, "").await;
    assert_eq!(shop.counters(ticket_type).await, (4, 1));
    assert_eq!(shop.get_hold(&active).await.status(), HoldStatus::Released);

    // Also for an order that was bound before; repeating it changes nothing.
    for _ in 0..2 {
        refused(
            shop.try_begin(order, &paying).await,
            ErrorReason::EventNotActive,
        );
        assert_eq!(shop.counters(ticket_type).await, (1, 1));
        assert_eq!(shop.get_hold(&paying).await.status(), HoldStatus::Released);
    }
    refused(
        shop.try_begin(shop.order(), &active).await,
        ErrorReason::EventNotActive,
    );
    for order in [order, late] {
        let answer = shop.commit(order).await;
        assert_eq!(answer.answer(), OrderAnswer::Refused);
        assert_eq!(answer.refusal_reason, "EVENT_NOT_ACTIVE");
    }
    assert_eq!(shop.counters(ticket_type).await, (0, 1));
    // What was sold before is answered as before, and its stock can come back.
    let (order, held) = bought;
    shop.begin_with(begin_request(order, &held)).await.unwrap();
    assert_eq!(shop.commit(order).await.answer(), OrderAnswer::Committed);
    assert_eq!(shop.void(order, shop.refund(), &[]).await.unwrap().len(), 1);
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_holds_than_one_batch_are_freed() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(8_000).await;
    let held = shop.hold(event, ticket_type, 1).await;
    // As many as no test could make one by one.
    sqlx::query(
        "WITH copies AS (
             INSERT INTO holds (id, event_id, status, expires_at, body_hash, secret_key_id,
                                secret_generation, currency, total_minor)
             SELECT gen_random_uuid(), event_id, status, expires_at, body_hash, secret_key_id,
                    secret_generation, currency, total_minor
             FROM holds, generate_series(1, 6000) WHERE id = $1 RETURNING id
         ), lines AS (
             INSERT INTO hold_lines (hold_id, line, ticket_type_id, category, quantity, unit_price_minor)
             SELECT c.id, l.line, l.ticket_type_id, l.category, l.quantity, l.unit_price_minor
             FROM copies c, hold_lines l WHERE l.hold_id = $1
         ), noted AS (
             INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta, sold_delta)
             SELECT c.id, l.pool_id, l.line, l.transition, l.held_delta, l.sold_delta
             FROM copies c, inventory_ledger l WHERE l.subject_id = $1
         )
         UPDATE pools SET held = held + 6000 WHERE event_id = $2",
    )
    .bind(held.uuid())
    .bind(event.uuid())
    .execute(&shop.db)
    .await
    .unwrap();
    assert_eq!(shop.counters(ticket_type).await, (6_001, 0));
    shop.cancel_event(event, "").await;
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_under_way_ends_before_the_cancellation_is_answered() {
    let shop = std::sync::Arc::new(Shop::open().await);
    let answers = in_one_wait(async || Box::pin(cancelled_under_a_commit(&shop)).await).await;
    // While it was under way nobody had heard of the cancellation.
    assert_eq!(answers, (OrderAnswer::Committed, false));
    std::sync::Arc::into_inner(shop).unwrap().close().await;
}

/// The answer to the commit, and whether the cancellation was answered before it.
async fn cancelled_under_a_commit(shop: &std::sync::Arc<Shop>) -> (Instant, (OrderAnswer, bool)) {
    let (event, ticket_type) = shop.on_sale(5).await;
    let (order, _) = shop.paying(event, ticket_type, 1).await;
    let (later, _) = shop.paying(event, ticket_type, 1).await;
    // Its hold is gone, so it takes stock anew before it writes anything.
    shop.release_order(order).await;
    let mut stock = shop.db.begin().await.unwrap();
    sqlx::query("SELECT id FROM pools WHERE event_id = $1 FOR UPDATE")
        .bind(event.uuid())
        .fetch_all(&mut *stock)
        .await
        .unwrap();
    let begun = Instant::now();
    let commit = tokio::spawn({
        let shop = shop.clone();
        async move { shop.commit(order).await.answer() }
    });
    shop.waiting(1).await;
    let cancelled = tokio::spawn({
        let shop = shop.clone();
        async move { shop.cancel_event(event, "").await }
    });
    // The commit for the stock, the cancellation for the commit.
    shop.waiting(2).await;
    let answered = cancelled.is_finished();
    stock.rollback().await.unwrap();
    let commit = commit.await.unwrap();
    cancelled.await.unwrap();
    assert_eq!(shop.commit(later).await.answer(), OrderAnswer::Refused);
    (begun, (commit, answered))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_committed_after_the_answer() {
    let shop = std::sync::Arc::new(Shop::open().await);
    for _ in 0..3 {
        let (event, ticket_type) = shop.on_sale(100).await;
        let mut orders = Vec::new();
        for n in 0..24 {
            let (order, _) = shop.paying(event, ticket_type, 1).await;
            if n % 2 == 0 {
                shop.release_order(order).await;
            }
            orders.push(order);
        }
        let commits: Vec<_> = orders
            .into_iter()
            .map(|order| {
                let shop = shop.clone();
                tokio::spawn(async move { shop.commit(order).await.answer() })
            })
            .collect();
        shop.cancel_event(event, "").await;
        let (_, sold) = shop.counters(ticket_type).await;
        let mut committed = 0;
        for commit in commits {
            committed += i64::from(commit.await.unwrap() == OrderAnswer::Committed);
        }
        assert_eq!(sold, committed, "sold when it was answered, and in the end");
    }
    std::sync::Arc::into_inner(shop).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_do_not_wait_for_one_another() {
    let shop = Shop::open().await;
    let (waits, still_waits) =
        in_one_wait(async || Box::pin(commit_beside_a_waiting_one(&shop)).await).await;
    assert!(waits.is_some());
    assert_eq!(still_waits, waits, "the first had to give up for them");
    shop.close().await;
}

/// Who waits before another commit and an edit, and who waits after them.
async fn commit_beside_a_waiting_one(shop: &Shop) -> (Instant, (Option<String>, Option<String>)) {
    let (event, blocked) = shop.on_sale(5).await;
    let free = shop.ticket_type(event, Some(5)).await;
    let (order, _) = shop.paying(event, blocked, 1).await;
    let (other, _) = shop.paying(event, free, 1).await;
    let mut stock = shop.db.begin().await.unwrap();
    sqlx::query(
        "SELECT p.id FROM pools p JOIN ticket_types t ON t.pool_id = p.id WHERE t.id = $1
         FOR UPDATE OF p",
    )
    .bind(blocked.uuid())
    .fetch_all(&mut *stock)
    .await
    .unwrap();
    let begun = Instant::now();
    let (first, waiters) = tokio::join!(shop.commit(order), async {
        shop.waiting(1).await;
        let waits = waiter(shop).await;
        // While one keeps the event to its end, another commits and an admin edits.
        shop.commit(other).await;
        shop.update_event(api::UpdateEventRequest {
            event_id: event.to_string(),
            title: Some("Meanwhile".to_owned()),
            ..Default::default()
        })
        .await;
        let still_waits = waiter(shop).await;
        stock.rollback().await.unwrap();
        (waits, still_waits)
    });
    assert_eq!(first.answer(), OrderAnswer::Committed);
    (begun, waiters)
}

/// The transaction that waits for a row.
async fn waiter(shop: &Shop) -> Option<String> {
    sqlx::query_scalar(
        "SELECT concat(pid, ' ', xact_start) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_optional(&shop.db)
    .await
    .unwrap()
}
