//! The one final answer of an order.

use std::collections::HashSet;

use kit::ErrorReason;
use proto::ticket::{self as api, OrderAnswer, TicketStatus};
use testkit::keys;

use crate::shop::{Shop, refused, refused_field};

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
