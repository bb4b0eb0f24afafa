//! Tickets that are given back: void for ever, and their stock is sold again, exactly once.

use std::{collections::HashSet, sync::Arc};

use base::{EventId, OrderId, TicketTypeId};
use kit::ErrorReason;
use proto::ticket::{self as api, TicketStatus};
use testkit::{Direction, keys};
use tonic::Status;

use crate::shop::{Held, Shop, refused, refused_field, type_request};

fn some(ticket_type: TicketTypeId, quantity: u32) -> api::VoidLine {
    api::VoidLine {
        ticket_type_id: ticket_type.to_string(),
        quantity,
        ticket_ids: Vec::new(),
    }
}

fn these(ticket_type: TicketTypeId, ids: &[String]) -> api::VoidLine {
    api::VoidLine {
        ticket_type_id: ticket_type.to_string(),
        quantity: u32::try_from(ids.len()).unwrap(),
        ticket_ids: ids.to_vec(),
    }
}

fn ids(tickets: &[api::Ticket]) -> Vec<String> {
    tickets.iter().map(|ticket| ticket.id.clone()).collect()
}

async fn valid(shop: &Shop, order: OrderId) -> Vec<String> {
    let tickets = shop.tickets(order).await;
    let valid = tickets
        .into_iter()
        .filter(|ticket| ticket.status() == TicketStatus::Valid);
    ids(&valid.collect::<Vec<_>>())
}

/// A type of which one order may take a hundred.
async fn many(shop: &Shop, event: EventId, stock: i64) -> TicketTypeId {
    let mut request = type_request(event, Some(stock));
    request.max_per_order = 100;
    let made = shop
        .admin
        .clone()
        .create_ticket_type(shop.own(request))
        .await;
    let made = made.unwrap().into_inner().ticket_type.unwrap();
    made.id.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_an_order_are_void_and_their_stock_is_sold_again() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(3).await;
    let (order, refund) = (shop.bought(event, ticket_type, 3).await, shop.refund());
    let issued = shop.tickets(order).await;
    let voided = shop.void(order, refund, &[]).await.unwrap();
    assert_eq!(ids(&voided), ids(&issued));
    assert!(voided.iter().all(|t| t.status() == TicketStatus::Void));
    assert_eq!(shop.tickets(order).await, voided);
    assert_eq!(shop.commit(order).await.tickets, voided);
    assert_eq!(shop.counters(ticket_type).await, (0, 0));

    // A repeat, also one that asks for something else, has the answer of the first.
    assert_eq!(shop.void(order, refund, &[]).await.unwrap(), voided);
    let other = shop.void(order, refund, &[some(ticket_type, 1)]).await;
    assert_eq!(other.unwrap(), voided);
    // Another refund finds nothing.
    let nothing = shop.void(order, shop.refund(), &[]).await.unwrap();
    assert!(nothing.is_empty());
    assert_eq!(shop.counters(ticket_type).await, (0, 0));

    let again = shop.bought(event, ticket_type, 3).await;
    assert_eq!(valid(&shop, again).await.len(), 3);
    refused(
        shop.try_hold(event, &[(ticket_type, 1)], &keys::idempotency_key())
            .await,
        ErrorReason::SoldOut,
    );
    assert_eq!(shop.void(order, refund, &[]).await.unwrap(), voided);
    assert_eq!(shop.counters(ticket_type).await, (0, 3));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_of_a_line_the_last_first_or_those_that_are_named() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, Some(5)).await;
    let held: Held = shop
        .try_hold(
            event,
            &[(balcony, 2), (stalls, 4)],
            &keys::idempotency_key(),
        )
        .await
        .unwrap()
        .into();
    let order = shop.order();
    shop.try_begin(order, &held).await.unwrap();
    let issued = ids(&shop.commit(order).await.tickets);

    let any = shop.void(order, shop.refund(), &[some(stalls, 1)]).await;
    assert_eq!(ids(&any.unwrap()), issued[5..]);
    let named = [these(stalls, &issued[2..4]), some(balcony, 1)];
    let named = shop.void(order, shop.refund(), &named).await.unwrap();
    assert_eq!(ids(&named), issued[1..4]);
    assert_eq!(
        (shop.counters(stalls).await, shop.counters(balcony).await),
        ((0, 1), (0, 1))
    );

    // Void, of another type, of nobody; and one more than there are.
    let too_large = ErrorReason::RefundTooLarge;
    for line in [
        these(stalls, &issued[5..]),
        these(stalls, &issued[..1]),
        these(stalls, &[shop.order().to_string()]),
        some(stalls, 2),
        some(shop.ticket_type(event, Some(1)).await, 1),
    ] {
        // Nothing of the other line either.
        let lines = [some(balcony, 1), line];
        refused(shop.void(order, shop.refund(), &lines).await, too_large);
    }
    assert_eq!(
        valid(&shop, order).await,
        [issued[0].clone(), issued[4].clone()]
    );
    let rest = shop.void(order, shop.refund(), &[]).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!(
        (shop.counters(stalls).await, shop.counters(balcony).await),
        ((0, 0), (0, 0))
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_committed_order_has_something_to_void() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1).await;
    let absent = ErrorReason::NotFound;
    refused(shop.void(shop.order(), shop.refund(), &[]).await, absent);
    let (order, _) = shop.paying(event, ticket_type, 1).await;
    refused(shop.void(order, shop.refund(), &[]).await, absent);
    shop.release_order(order).await;
    shop.bought(event, ticket_type, 1).await;
    shop.commit(order).await;
    // Refused for ever.
    let nothing = shop.void(order, shop.refund(), &[]).await.unwrap();
    assert!(nothing.is_empty());
    refused(
        shop.void(order, shop.refund(), &[some(ticket_type, 1)])
            .await,
        ErrorReason::RefundTooLarge,
    );
    assert_eq!(shop.counters(ticket_type).await, (0, 1));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_and_strangers_are_refused() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let order = shop.bought(event, ticket_type, 2).await;
    let issued = ids(&shop.tickets(order).await);
    let refuse = async |lines: &[api::VoidLine], field: &str| {
        refused_field(shop.void(order, shop.refund(), lines).await, field);
    };
    refuse(&[some(ticket_type, 0)], "lines[0].quantity").await;
    refuse(&[some(ticket_type, 1), some(ticket_type, 1)], "lines").await;
    refuse(&vec![some(ticket_type, 1); 21], "lines").await;
    let twice = [issued[0].clone(), issued[0].clone()];
    refuse(&[these(ticket_type, &twice)], "lines[0].ticket_ids").await;
    let mut fewer = these(ticket_type, &issued);
    fewer.quantity = 1;
    refuse(&[fewer.clone()], "lines[0].ticket_ids").await;
    fewer.quantity = 3;
    refuse(&[fewer], "lines[0].ticket_ids").await;
    refuse(
        &[these(ticket_type, &["x".to_owned()])],
        "lines[0].ticket_ids",
    )
    .await;

    let mut both = api::VoidTicketsRequest {
        order_id: order.to_string(),
        refund_id: shop.refund().to_string(),
        all: true,
        lines: vec![some(ticket_type, 1)],
    };
    let mut inventory = shop.inventory.clone();
    refused_field(inventory.void_tickets(both.clone()).await, "lines");
    (both.all, both.lines) = (false, Vec::new());
    refused_field(inventory.void_tickets(both.clone()).await, "lines");
    (both.all, both.refund_id) = (true, "x".to_owned());
    refused_field(inventory.void_tickets(both.clone()).await, "refund_id");
    both.refund_id = shop.refund().to_string();
    refused(
        shop.inventory_of_gateway.clone().void_tickets(both).await,
        ErrorReason::CallerNotAllowed,
    );

    // A refund belongs to one order.
    let (other, refund) = (shop.bought(event, ticket_type, 1).await, shop.refund());
    shop.void(order, refund, &[some(ticket_type, 1)])
        .await
        .unwrap();
    refused_field(shop.void(other, refund, &[]).await, "refund_id");
    assert_eq!(shop.counters(ticket_type).await, (0, 2));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pool_has_back_what_the_sale_took_from_it() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, None).await;
    let venue = base::PoolId::new(&shop.sources).uuid();
    sqlx::query("INSERT INTO pools (id, event_id, capacity) VALUES ($1, $2, 5)")
        .bind(venue)
        .bind(event.uuid())
        .execute(&shop.db)
        .await
        .unwrap();
    for id in [stalls, balcony] {
        sqlx::query("INSERT INTO ticket_type_pools (ticket_type_id, pool_id) VALUES ($1, $2)")
            .bind(id.uuid())
            .bind(venue)
            .execute(&shop.db)
            .await
            .unwrap();
    }
    let sold_of_venue = async || -> i64 {
        sqlx::query_scalar("SELECT sold FROM pools WHERE id = $1")
            .bind(venue)
            .fetch_one(&shop.db)
            .await
            .unwrap()
    };
    let first = shop.bought(event, stalls, 3).await;
    // Sold without its hold, so the ledger has it under the order.
    let (late, _) = shop.paying(event, balcony, 2).await;
    shop.release_order(late).await;
    assert_eq!(shop.commit(late).await.tickets.len(), 2);
    assert_eq!(sold_of_venue().await, 5);
    shop.void(first, shop.refund(), &[some(stalls, 2)])
        .await
        .unwrap();
    assert_eq!(sold_of_venue().await, 3);
    shop.void(late, shop.refund(), &[]).await.unwrap();
    assert_eq!(sold_of_venue().await, 1);
    assert_eq!(
        (shop.counters(stalls).await, shop.counters(balcony).await),
        ((0, 1), (0, 0))
    );
    shop.bought(event, balcony, 4).await;
    assert_eq!(sold_of_venue().await, 5);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_whose_commit_had_no_answer_is_made_once() {
    let (shop, wire) = Shop::open_behind_a_proxy().await;
    let (event, ticket_type) = shop.on_sale(5).await;
    let order = shop.bought(event, ticket_type, 4).await;
    // One cut for it, and one more because the sweeper may meet the first.
    wire.cut_after(Direction::Up, "COMMIT", 2);
    let voided = shop
        .void(order, shop.refund(), &[some(ticket_type, 1)])
        .await
        .unwrap();
    wire.cut_after(Direction::Up, "COMMIT", 0);
    assert_eq!(voided.len(), 1);
    assert_eq!(shop.counters(ticket_type).await, (0, 3));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_refunds_at_once_void_each_ticket_once() {
    let shop = Arc::new(Shop::open().await);
    let event = shop.event().await;
    let ticket_type = many(&shop, event, 40).await;
    let order = shop.bought(event, ticket_type, 40).await;
    let issued = ids(&shop.tickets(order).await);
    // Half of them name tickets that others name too; each refund comes twice.
    let refunds: Vec<_> = (0..32_usize).map(|n| (n, shop.refund())).collect();
    let calls: Vec<_> = refunds
        .iter()
        .chain(&refunds)
        .map(|&(n, refund)| {
            let from = n * 5 % 37;
            let line = if n % 2 == 0 {
                these(ticket_type, &issued[from..from + 3])
            } else {
                some(ticket_type, 2)
            };
            let shop = shop.clone();
            tokio::spawn(async move { (n, shop.void(order, refund, &[line]).await) })
        })
        .collect();
    let mut answers: Vec<Option<Vec<String>>> = vec![None; 32];
    for call in calls {
        match call.await.unwrap() {
            (n, Ok(tickets)) => {
                let voided = ids(&tickets);
                let before = answers[n].replace(voided.clone());
                assert!(before.is_none_or(|before| before == voided));
            }
            (_, refusal) => {
                refused(refusal, ErrorReason::RefundTooLarge);
            }
        }
    }
    let voided: Vec<String> = answers.into_iter().flatten().flatten().collect();
    let different: HashSet<_> = voided.iter().collect();
    assert_eq!(different.len(), voided.len(), "a ticket was voided twice");
    assert!(voided.len() > 20);
    let left = 40 - voided.len();
    assert_eq!(valid(&shop, order).await.len(), left);
    let sold = i64::try_from(left).unwrap();
    assert_eq!(shop.counters(ticket_type).await, (0, sold));
    Arc::into_inner(shop).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_back_is_sold_again_and_not_one_more() {
    let shop = Arc::new(Shop::open().await);
    let event = shop.event().await;
    let ticket_type = many(&shop, event, 20).await;
    let order = shop.bought(event, ticket_type, 20).await;
    let refunds: Vec<_> = (0..12)
        .map(|_| {
            let (shop, refund) = (shop.clone(), shop.refund());
            tokio::spawn(async move { shop.void(order, refund, &[some(ticket_type, 1)]).await })
        })
        .collect();
    let buyers: Vec<_> = (0..32)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move {
                let (lines, key) = ([(ticket_type, 1)], keys::idempotency_key());
                let held = Held::from(shop.try_hold(event, &lines, &key).await?);
                let order = shop.order();
                shop.try_begin(order, &held).await?;
                Ok::<_, Status>(shop.commit(order).await.tickets.len())
            })
        })
        .collect();
    for refund in refunds {
        assert_eq!(refund.await.unwrap().unwrap().len(), 1);
    }
    let mut resold = 0;
    for buyer in buyers {
        match buyer.await.unwrap() {
            Ok(tickets) => resold += tickets,
            Err(status) => {
                let reason = kit::Failure::from_status(&status).reason;
                let expected = [ErrorReason::SoldOut, ErrorReason::HeldByOthers];
                assert!(expected.contains(&reason), "{status:?}");
            }
        }
    }
    assert!(resold <= 12);
    // Those who come later get the rest.
    let rest = u32::try_from(12 - resold).unwrap();
    if rest > 0 {
        shop.bought(event, ticket_type, rest).await;
    }
    assert_eq!(shop.counters(ticket_type).await, (0, 20));
    refused(
        shop.try_hold(event, &[(ticket_type, 1)], &keys::idempotency_key())
            .await,
        ErrorReason::SoldOut,
    );
    Arc::into_inner(shop).unwrap().close().await;
}
