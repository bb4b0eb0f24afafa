//! The one final answer of an order.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use base::{EventId, TicketTypeId};
use kit::ErrorReason;
use proto::ticket::{
    self as api, OrderAnswer, TicketStatus, inventory_service_client::InventoryServiceClient,
};
use testkit::{keys, on_time};
use tonic::{Code, Status};

use crate::shop::{Channel, LOCK_TIMEOUT, Shop, refused, refused_field};

#[tokio::test(flavor = "multi_thread")]
async fn held_becomes_sold_and_each_unit_has_a_ticket() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, Some(5)).await;
    let lines = [(balcony, 1), (stalls, 2)];
    let held = shop
        .try_hold(event, &lines, &keys::idempotency_key())
        .await
        .unwrap()
        .into();
    let order = shop.order();
    shop.try_begin(order, &held).await.unwrap();
    assert!(shop.tickets(order).await.is_empty());

    let answer = shop.commit(order).await;
    assert_eq!(answer.answer(), OrderAnswer::Committed);
    assert!(answer.refusal_reason.is_empty());
    assert_eq!(answer.event.as_ref().unwrap().id, event.to_string());
    let types: Vec<_> = answer
        .tickets
        .iter()
        .map(|t| t.ticket_type_id.clone())
        .collect();
    assert_eq!(
        types,
        [balcony.to_string(), stalls.to_string(), stalls.to_string()]
    );
    let codes: HashSet<_> = answer
        .tickets
        .iter()
        .map(|ticket| ticket.code.clone())
        .collect();
    assert_eq!(codes.len(), 3);
    for ticket in &answer.tickets {
        assert_eq!(
            (ticket.status(), ticket.code.len()),
            (TicketStatus::Valid, 138)
        );
        let claims = codes::Code::parse(&ticket.code).unwrap().claims();
        assert_eq!(claims.ticket.to_string(), ticket.id);
        assert_eq!((claims.key, claims.generation), (1, 1));
        assert_eq!((ticket.generation, ticket.holder_name.as_str()), (1, ""));
    }
    assert_eq!(
        (shop.counters(stalls).await, shop.counters(balcony).await),
        ((0, 2), (0, 1))
    );

    assert_eq!(shop.commit(order).await, answer);
    assert_eq!(shop.tickets(order).await, answer.tickets);
    shop.release_order(order).await;
    assert_eq!(shop.commit(order).await, answer);
    assert_eq!(
        (shop.counters(stalls).await, shop.counters(balcony).await),
        ((0, 2), (0, 1))
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_commit_takes_free_stock_at_the_old_price() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(2).await;
    let (order, _) = shop.paying(event, ticket_type, 2).await;
    shop.release_order(order).await;
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    let answer = shop.commit(order).await;
    assert_eq!(
        (answer.answer(), answer.tickets.len()),
        (OrderAnswer::Committed, 2)
    );
    assert_eq!(shop.counters(ticket_type).await, (0, 2));
    assert_eq!(shop.commit(order).await, answer);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_commit_of_what_is_sold_out_is_refused_for_ever() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1).await;
    let (late, held) = shop.paying(event, ticket_type, 1).await;
    shop.release_order(late).await;
    let (faster, _) = shop.paying(event, ticket_type, 1).await;
    shop.commit(faster).await;
    let answer = shop.commit(late).await;
    assert_eq!(answer.answer(), OrderAnswer::Refused);
    assert_eq!(
        (answer.refusal_reason.as_str(), answer.tickets.len()),
        ("SOLD_OUT", 0)
    );
    assert!(answer.event.is_some());

    // Also when there is stock again.
    let more = api::UpdateTicketTypeRequest {
        ticket_type_id: ticket_type.to_string(),
        total_stock: Some(100),
        ..Default::default()
    };
    shop.admin
        .clone()
        .update_ticket_type(shop.own(more))
        .await
        .unwrap();
    assert_eq!(shop.commit(late).await, answer);
    refused(shop.try_begin(late, &held).await, ErrorReason::OrderNotOpen);
    assert!(shop.tickets(late).await.is_empty());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_event_refuses_and_frees() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(3).await;
    let (order, _) = shop.paying(event, ticket_type, 3).await;
    shop.set_event_status(event, "cancelled").await;
    let answer = shop.commit(order).await;
    assert_eq!(answer.answer(), OrderAnswer::Refused);
    assert_eq!(answer.refusal_reason, "EVENT_NOT_ACTIVE");
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    assert_eq!(shop.commit(order).await, answer);
    shop.close().await;
}

/// As payment-svc asks: again where it is told to come back. All of it goes together, for nobody says the event.
async fn committed(
    inventory: InventoryServiceClient<Channel>,
    order: base::OrderId,
) -> Result<api::CommitOrderResponse, Status> {
    committed_of(inventory, order, None).await
}

async fn committed_of(
    mut inventory: InventoryServiceClient<Channel>,
    order: base::OrderId,
    event: Option<base::EventId>,
) -> Result<api::CommitOrderResponse, Status> {
    loop {
        let request = api::CommitOrderRequest {
            order_id: order.to_string(),
            event_id: event.map(|id| id.to_string()).unwrap_or_default(),
        };
        match inventory.commit_order(request).await {
            Ok(answer) => return Ok(answer.into_inner()),
            // Or where the call ran out of time while it waited for a lock: it is the same order.
            Err(status) if matches!(status.code(), Code::Unavailable | Code::Cancelled) => {}
            Err(status) => return Err(status),
        }
    }
}

/// While the first one waits for its pool, the others gather to a batch.
#[tokio::test(flavor = "multi_thread")]
async fn those_that_come_together_each_have_their_own_answer() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(20).await;
    let (off, off_type) = shop.on_sale(4).await;
    // Its codes have a key, so nothing else is in the way of the cancelled one.
    shop.bought(off, off_type, 1).await;
    let (first, _) = shop.paying(event, ticket_type, 1).await;
    let (plain, _) = shop.paying(event, ticket_type, 2).await;
    let (other, _) = shop.paying(event, ticket_type, 3).await;
    let (late, _) = shop.paying(event, ticket_type, 4).await;
    shop.release_order(late).await;
    let (cancelled, _) = shop.paying(off, off_type, 3).await;
    shop.set_event_status(off, "cancelled").await;
    let answered = shop.bought(event, ticket_type, 1).await;
    let before = shop.commit(answered).await;
    let unknown = shop.order();

    let mut jam = shop.db.begin().await.unwrap();
    sqlx::query("SELECT id FROM pools WHERE event_id = $1 FOR UPDATE")
        .bind(event.uuid())
        .fetch_all(&mut *jam)
        .await
        .unwrap();
    let ask = |order| tokio::spawn(committed(shop.inventory.clone(), order));
    let first = ask(first);
    shop.waiting(1).await;
    let together = [plain, other, plain, late, cancelled, answered, unknown].map(ask);
    // What was asked before this has arrived.
    assert!(shop.tickets(unknown).await.is_empty());
    jam.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().tickets.len(), 1);
    let mut answers = Vec::new();
    for asked in together {
        answers.push(asked.await.unwrap().unwrap());
    }

    let tickets: Vec<usize> = answers.iter().map(|one| one.tickets.len()).collect();
    assert_eq!(tickets, [2, 3, 2, 4, 0, 1, 0]);
    let reasons: Vec<&str> = answers.iter().map(|a| a.refusal_reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["", "", "", "", "EVENT_NOT_ACTIVE", "", "ORDER_NOT_OPEN"]
    );
    assert_eq!((&answers[0], &before), (&answers[2], &answers[5]));
    assert_eq!(shop.commit(plain).await, answers[0]);
    assert_eq!(shop.counters(ticket_type).await, (0, 11));
    assert_eq!(shop.counters(off_type).await, (0, 1));
    shop.close().await;
}

/// An order, its hold or its event is locked for longer than a statement waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_what_somebody_works_on() {
    for locked in [
        "known_orders WHERE order_id = $1",
        "holds WHERE order_id = $1",
        "events WHERE id = (SELECT event_id FROM holds WHERE order_id = $1)",
    ] {
        Box::pin(nobody_waits_for(locked)).await;
    }
}

async fn nobody_waits_for(locked: &str) {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1_000).await;
    let (busy_event, busy_type) = shop.on_sale(1_000).await;
    shop.bought(event, ticket_type, 1).await;
    shop.bought(busy_event, busy_type, 1).await;
    on_time(locked, LOCK_TIMEOUT, 1, async || {
        let (of, busy) = ((event, ticket_type), (busy_event, busy_type));
        Box::pin(one_is_not_kept(&shop, of, busy, locked)).await
    })
    .await;
    shop.close().await;
}

/// How long a commit takes while another one waits.
async fn one_is_not_kept(
    shop: &Shop,
    (event, ticket_type): (EventId, TicketTypeId),
    (busy_event, busy_type): (EventId, TicketTypeId),
    locked: &str,
) -> Duration {
    let (busy, _) = shop.paying(busy_event, busy_type, 1).await;
    let (plain, _) = shop.paying(event, ticket_type, 2).await;
    let mut jam = shop.db.begin().await.unwrap();
    sqlx::query("INSERT INTO known_orders (order_id) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(busy.uuid())
        .execute(&shop.db)
        .await
        .unwrap();
    let lock = sqlx::AssertSqlSafe(format!("SELECT FROM {locked} FOR UPDATE"));
    sqlx::query(lock)
        .bind(busy.uuid())
        .fetch_one(&mut *jam)
        .await
        .unwrap();
    let waits = tokio::spawn(committed(shop.inventory.clone(), busy));
    // It waits alone, or at the head of a batch.
    shop.waiting(1).await;
    let begun = Instant::now();
    let answer = committed(shop.inventory.clone(), plain).await.unwrap();
    let took = begun.elapsed();
    assert_eq!(answer.tickets.len(), 2);
    jam.rollback().await.unwrap();
    assert_eq!(waits.await.unwrap().unwrap().tickets.len(), 1);
    took
}

/// Somebody has the stock of one event locked for longer than a statement waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_stock_of_another_event() {
    let shop = Shop::open().await;
    let (stuck, stuck_type) = shop.on_sale(1_000).await;
    let (event, ticket_type) = shop.on_sale(1_000).await;
    // Their codes have a key, so their orders go in batches.
    shop.bought(stuck, stuck_type, 1).await;
    shop.bought(event, ticket_type, 1).await;
    let mut rounds = 0;
    on_time("commits of another event", LOCK_TIMEOUT, 1, async || {
        rounds += 1;
        let (of, stuck) = ((event, ticket_type), (stuck, stuck_type));
        Box::pin(others_are_not_kept(&shop, of, stuck)).await
    })
    .await;
    assert_eq!(shop.counters(stuck_type).await, (0, 1 + 4 * rounds));
    assert_eq!(shop.counters(ticket_type).await, (0, 1 + 8 * rounds));
    shop.close().await;
}

/// How long commits take while those of another event wait.
async fn others_are_not_kept(
    shop: &Shop,
    (event, ticket_type): (EventId, TicketTypeId),
    (stuck, stuck_type): (EventId, TicketTypeId),
) -> Duration {
    let (mut waits, mut goes_on) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        waits.push(shop.paying(stuck, stuck_type, 1).await.0);
        goes_on.push(shop.paying(event, ticket_type, 2).await.0);
    }
    let mut jam = shop.db.begin().await.unwrap();
    sqlx::query("SELECT id FROM pools WHERE event_id = $1 FOR UPDATE")
        .bind(stuck.uuid())
        .fetch_all(&mut *jam)
        .await
        .unwrap();
    let ask = |order, event| tokio::spawn(committed_of(shop.inventory.clone(), order, Some(event)));
    // One batch of it is at work, the others wait for that one.
    let waits: Vec<_> = waits.into_iter().map(|order| ask(order, stuck)).collect();
    shop.waiting(1).await;
    let begun = Instant::now();
    let answers = goes_on.into_iter().map(|order| ask(order, event));
    for answer in futures::future::join_all(answers).await {
        assert_eq!(answer.unwrap().unwrap().tickets.len(), 2);
    }
    let took = begun.elapsed();
    jam.rollback().await.unwrap();
    for order in waits {
        assert_eq!(order.await.unwrap().unwrap().tickets.len(), 1);
    }
    took
}

/// The counter of a pool that was tampered with fails the statement for all.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_committed_is_in_nobodys_way() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(20).await;
    let (odd_event, odd_type) = shop.on_sale(20).await;
    let (first, _) = shop.paying(event, ticket_type, 1).await;
    let (plain, _) = shop.paying(event, ticket_type, 2).await;
    let (odd, _) = shop.paying(odd_event, odd_type, 1).await;
    let set_held = async |held: i64| {
        // The auditor may have noticed.
        sqlx::query(
            "UPDATE pools SET held = $2, halted_at = NULL, halt_reason = '' WHERE event_id = $1",
        )
        .bind(odd_event.uuid())
        .bind(held)
        .execute(&shop.db)
        .await
        .unwrap();
    };
    set_held(0).await;
    let mut jam = shop.db.begin().await.unwrap();
    sqlx::query("SELECT id FROM pools WHERE event_id = $1 FOR UPDATE")
        .bind(event.uuid())
        .fetch_all(&mut *jam)
        .await
        .unwrap();
    let ask = |order| tokio::spawn(committed(shop.inventory.clone(), order));
    let first = ask(first);
    shop.waiting(1).await;
    let together = [plain, odd].map(ask);
    assert!(shop.tickets(plain).await.is_empty());
    jam.rollback().await.unwrap();
    first.await.unwrap().unwrap();
    let [plain, odd_answer] = together;
    assert_eq!(plain.await.unwrap().unwrap().tickets.len(), 2);
    assert!(odd_answer.await.unwrap().is_err());
    set_held(1).await;
    let later = shop.commit(odd).await;
    assert_eq!(later.tickets.len(), 1, "nothing was decided of it");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_event_still_fulfils_what_is_paid() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(3).await;
    let (order, _) = shop.paying(event, ticket_type, 3).await;
    shop.set_event_status(event, "inactive").await;
    assert_eq!(shop.commit(order).await.answer(), OrderAnswer::Committed);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_a_hold_is_refused_and_stays_so() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(3).await;
    let (order, held) = (shop.order(), shop.hold(event, ticket_type, 1).await);
    let answer = shop.commit(order).await;
    assert_eq!(
        (answer.answer(), answer.event.clone()),
        (OrderAnswer::Refused, None)
    );
    refused(
        shop.try_begin(order, &held).await,
        ErrorReason::OrderNotOpen,
    );
    assert_eq!(shop.commit(order).await, answer);
    let nonsense = api::CommitOrderRequest {
        order_id: "x".to_owned(),
        ..Default::default()
    };
    refused_field(
        shop.inventory.clone().commit_order(nonsense).await,
        "order_id",
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_one_moment_are_each_answered_as_if_alone() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(100).await;
    let mut orders = Vec::new();
    for _ in 0..24 {
        let (order, held) = (shop.order(), shop.hold(event, stalls, 2).await);
        shop.try_begin(order, &held).await.unwrap();
        orders.push(order);
    }
    // One was answered before, one was given up, one never had a hold.
    let before = shop.commit(orders[0]).await;
    shop.release_order(orders[1]).await;
    orders.push(shop.order());
    let twice = orders
        .iter()
        .chain(&orders)
        .map(|order| shop.commit(*order));
    let answers = futures::future::join_all(twice).await;
    let (first, again) = answers.split_at(orders.len());
    assert_eq!(first, again);
    assert_eq!(first[0], before);
    let refused = first.last().unwrap();
    assert_eq!(refused.answer(), OrderAnswer::Refused);
    let committed = &first[..24];
    let codes: HashSet<_> = committed
        .iter()
        .flat_map(|answer| answer.tickets.iter().map(|ticket| ticket.code.clone()))
        .collect();
    assert_eq!(codes.len(), 48);
    for (order, answer) in orders.iter().zip(committed) {
        assert_eq!(answer.answer(), OrderAnswer::Committed);
        assert_eq!(shop.tickets(*order).await, answer.tickets);
    }
    assert_eq!(shop.counters(stalls).await, (0, 48));
    shop.close().await;
}
