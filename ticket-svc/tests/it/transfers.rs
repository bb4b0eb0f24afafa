//! Tickets that are handed on: a new code for the new holder, once, and none of it by accident.

use std::{collections::HashSet, sync::Arc};

use codes::Verdict;
use kit::ErrorReason;
use proto::ticket::{self as api, TicketStatus};
use testkit::Direction;

use crate::{
    codes::{scanner, verdict},
    shop::{Shop, refused, refused_field},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_step_has_one_answer_for_ever() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let order = shop.bought(event, ticket_type, 2).await;
    let issued = shop.tickets(order).await;
    let (first, second) = (shop.sources.uuid_v7(), shop.sources.uuid_v7());
    let to_ada = shop
        .transfer(order, &issued[0].id, first, "Ada")
        .await
        .unwrap();
    assert!(!to_ada.superseded);
    let adas = to_ada.ticket.clone().unwrap();
    assert_eq!((adas.generation, adas.holder_name.as_str()), (2, "Ada"));
    assert_eq!(
        (adas.id.as_str(), adas.status()),
        (issued[0].id.as_str(), TicketStatus::Valid)
    );
    assert_ne!(adas.code, issued[0].code);
    assert_eq!(shop.tickets(order).await, [adas.clone(), issued[1].clone()]);
    // Also with another name, as somebody who guesses would.
    assert_eq!(
        shop.transfer(order, &issued[0].id, first, "Eve")
            .await
            .unwrap(),
        to_ada
    );

    let to_bob = shop
        .transfer(order, &issued[0].id, second, "Bob")
        .await
        .unwrap();
    let bobs = to_bob.ticket.unwrap();
    assert_eq!((bobs.generation, bobs.holder_name.as_str()), (3, "Bob"));
    // The first step tells nothing of the second.
    let again = shop
        .transfer(order, &issued[0].id, first, "Ada")
        .await
        .unwrap();
    assert!(again.superseded);
    assert_eq!(again.ticket.unwrap(), adas);
    assert_eq!(verdict(&shop, event, &adas.code).await, Verdict::Revoked);
    assert_eq!(verdict(&shop, event, &bobs.code).await, Verdict::Ok);

    shop.void(order, shop.refund(), &[]).await.unwrap();
    let again = shop
        .transfer(order, &issued[0].id, second, "Bob")
        .await
        .unwrap();
    assert!(again.superseded);
    let ticket = again.ticket.unwrap();
    assert_eq!(
        (ticket.code.clone(), ticket.status()),
        (bobs.code, TicketStatus::Void)
    );
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_valid_ticket_of_the_order_is_handed_on() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let order = shop.bought(event, ticket_type, 2).await;
    let issued = shop.tickets(order).await;
    let other = shop.bought(event, ticket_type, 1).await;
    let step = || shop.sources.uuid_v7();
    let absent = ErrorReason::NotFound;
    refused(
        shop.transfer(other, &issued[0].id, step(), "").await,
        absent,
    );
    refused(
        shop.transfer(shop.order(), &issued[0].id, step(), "").await,
        absent,
    );
    refused(
        shop.transfer(order, &order.to_string(), step(), "").await,
        absent,
    );
    let (unpaid, _) = shop.paying(event, ticket_type, 1).await;
    refused(
        shop.transfer(unpaid, &issued[0].id, step(), "").await,
        absent,
    );
    shop.release_order(unpaid).await;

    // A step belongs to one ticket.
    let named = step();
    shop.transfer(order, &issued[0].id, named, "Ada")
        .await
        .unwrap();
    let foreign = shop.tickets(other).await[0].id.clone();
    refused_field(
        shop.transfer(order, &issued[1].id, named, "Ada").await,
        "transfer_id",
    );
    refused_field(
        shop.transfer(other, &foreign, named, "Ada").await,
        "transfer_id",
    );

    assert_eq!(shop.tickets(order).await[1], issued[1]);

    let dead = ErrorReason::TicketNotValid;
    let line = api::VoidLine {
        ticket_type_id: ticket_type.to_string(),
        quantity: 1,
        ticket_ids: vec![issued[1].id.clone()],
    };
    shop.void(order, shop.refund(), &[line]).await.unwrap();
    refused(shop.transfer(order, &issued[1].id, step(), "").await, dead);
    shop.cancel_event(event, "").await;
    refused(shop.transfer(order, &issued[0].id, step(), "").await, dead);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_and_strangers_are_refused() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let order = shop.bought(event, ticket_type, 1).await;
    let issued = shop.tickets(order).await;
    let step = || shop.sources.uuid_v7();
    refused_field(shop.transfer(order, "x", step(), "").await, "ticket_id");
    let long = "a".repeat(201);
    refused_field(
        shop.transfer(order, &issued[0].id, step(), &long).await,
        "holder_name",
    );
    refused_field(
        shop.transfer(order, &issued[0].id, step(), "a\nb").await,
        "holder_name",
    );
    let mut request = api::TransferTicketRequest {
        order_id: order.to_string(),
        ticket_id: issued[0].id.clone(),
        transfer_id: "x".to_owned(),
        holder_name: String::new(),
    };
    let mut inventory = shop.inventory.clone();
    refused_field(
        inventory.transfer_ticket(request.clone()).await,
        "transfer_id",
    );
    request.transfer_id = step().to_string();
    let stranger = shop
        .inventory_of_gateway
        .clone()
        .transfer_ticket(request)
        .await;
    refused(stranger, ErrorReason::CallerNotAllowed);
    assert_eq!(shop.tickets(order).await, issued);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_cannot_be_handed_on_without_end() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1).await;
    let order = shop.bought(event, ticket_type, 1).await;
    let id = shop.tickets(order).await[0].id.clone();
    sqlx::query("ALTER TABLE tickets DISABLE TRIGGER tickets_list_dead_codes")
        .execute(&shop.db)
        .await
        .unwrap();
    let set = async |generation: i32| {
        sqlx::query("UPDATE tickets SET generation = $1")
            .bind(generation)
            .execute(&shop.db)
            .await
            .unwrap();
    };
    set(65_535).await;
    refused_field(
        shop.transfer(order, &id, shop.sources.uuid_v7(), "").await,
        "ticket_id",
    );
    set(1).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_holders_are_forgotten_and_nothing_else() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let order = shop.bought(event, ticket_type, 2).await;
    let other = shop.bought(event, ticket_type, 1).await;
    let id = shop.tickets(order).await[0].id.clone();
    for name in ["Ada", "Bob"] {
        let step = shop.sources.uuid_v7();
        shop.transfer(order, &id, step, name).await.unwrap();
    }
    let others = shop.tickets(other).await[0].id.clone();
    shop.transfer(other, &others, shop.sources.uuid_v7(), "Cem")
        .await
        .unwrap();
    let before = shop.tickets(order).await;
    assert_eq!(before[0].holder_name, "Bob");

    let mut inventory = shop.inventory.clone();
    let request = api::EraseHoldersRequest {
        order_id: order.to_string(),
        transfer_ids: Vec::new(),
    };
    inventory.erase_holders(request.clone()).await.unwrap();
    inventory.erase_holders(request.clone()).await.unwrap();
    let mut expected = before;
    expected[0].holder_name.clear();
    assert_eq!(shop.tickets(order).await, expected);
    assert_eq!(shop.tickets(other).await[0].holder_name, "Cem");
    let left: Vec<String> =
        sqlx::query_scalar("SELECT holder_name FROM ticket_transfers ORDER BY 1")
            .fetch_all(&shop.db)
            .await
            .unwrap();
    assert_eq!(left, ["", "", "Cem"]);
    assert_eq!(shop.counters(ticket_type).await, (0, 3));
    refused(
        shop.inventory_of_gateway
            .clone()
            .erase_holders(request)
            .await,
        ErrorReason::CallerNotAllowed,
    );
    let nonsense = api::EraseHoldersRequest {
        order_id: "x".to_owned(),
        transfer_ids: Vec::new(),
    };
    refused_field(inventory.erase_holders(nonsense).await, "order_id");
    shop.close().await;
}

#[tokio::test]
async fn one_holder_is_forgotten_and_the_others_of_the_order_are_not() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let order = shop.bought(event, ticket_type, 2).await;
    let mut steps = Vec::new();
    for (ticket, name) in shop.tickets(order).await.iter().zip(["Ada", "Bob"]) {
        let step = shop.sources.uuid_v7();
        shop.transfer(order, &ticket.id, step, name).await.unwrap();
        steps.push(step.to_string());
    }
    let mut expected = shop.tickets(order).await;
    let mut inventory = shop.inventory.clone();
    let request = api::EraseHoldersRequest {
        order_id: String::new(),
        transfer_ids: vec![steps[0].clone()],
    };
    for _ in 0..2 {
        inventory.erase_holders(request.clone()).await.unwrap();
    }
    for ticket in &mut expected {
        if ticket.holder_name == "Ada" {
            ticket.holder_name.clear();
        }
    }
    let now = shop.tickets(order).await;
    assert_eq!(now, expected);
    assert!(now.iter().any(|ticket| ticket.holder_name == "Bob"));
    let both = api::EraseHoldersRequest {
        order_id: order.to_string(),
        ..request.clone()
    };
    refused_field(inventory.erase_holders(both).await, "order_id");
    let nonsense = api::EraseHoldersRequest {
        transfer_ids: vec!["x".to_owned()],
        ..request
    };
    refused_field(inventory.erase_holders(nonsense).await, "transfer_ids");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn steps_at_once_are_one_generation_each() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(10).await;
    let order = shop.bought(event, ticket_type, 1).await;
    let id = shop.tickets(order).await[0].id.clone();
    let steps: Vec<_> = (0..12).map(|_| shop.sources.uuid_v7()).collect();
    let calls: Vec<_> = steps
        .iter()
        .chain(&steps)
        .map(|&step| {
            let (shop, id) = (shop.clone(), id.clone());
            tokio::spawn(
                async move { (step, shop.transfer(order, &id, step, "Ada").await.unwrap()) },
            )
        })
        .collect();
    let mut made = std::collections::HashMap::new();
    for call in calls {
        let (step, answer) = call.await.unwrap();
        let code = answer.ticket.unwrap().code;
        let before = made.insert(step, code.clone());
        assert!(before.is_none_or(|before| before == code));
    }
    let different: HashSet<_> = made.values().collect();
    assert_eq!(different.len(), 12);
    assert_eq!(shop.tickets(order).await[0].generation, 13);
    let door = scanner(&shop, event).await;
    let open = made
        .values()
        .filter(|code| door.judge(code).verdict == Verdict::Ok);
    assert_eq!(open.count(), 1);
    Arc::into_inner(shop).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refund_and_a_transfer_at_once_leave_no_code_that_opens() {
    let shop = Arc::new(Shop::open().await);
    let (event, ticket_type) = shop.on_sale(40).await;
    for _ in 0..20 {
        let order = shop.bought(event, ticket_type, 1).await;
        let ticket = shop.tickets(order).await.remove(0);
        let refund = {
            let (shop, refund) = (shop.clone(), shop.refund());
            tokio::spawn(async move { shop.void(order, refund, &[]).await.unwrap().len() })
        };
        let transfer = {
            let (shop, step, id) = (shop.clone(), shop.sources.uuid_v7(), ticket.id.clone());
            tokio::spawn(async move { shop.transfer(order, &id, step, "Ada").await })
        };
        assert_eq!(refund.await.unwrap(), 1);
        let mut shown = vec![ticket.code];
        match transfer.await.unwrap() {
            Ok(made) => shown.push(made.ticket.unwrap().code),
            refusal => {
                refused(refusal, ErrorReason::TicketNotValid);
            }
        }
        let door = scanner(&shop, event).await;
        for code in shown {
            assert_ne!(door.judge(&code).verdict, Verdict::Ok);
        }
    }
    assert_eq!(shop.counters(ticket_type).await, (0, 0));
    Arc::into_inner(shop).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_whose_commit_had_no_answer_is_made_once() {
    let (shop, wire) = Shop::open_behind_a_proxy().await;
    let (event, ticket_type) = shop.on_sale(5).await;
    let order = shop.bought(event, ticket_type, 1).await;
    let id = shop.tickets(order).await[0].id.clone();
    // One cut for it, and one more because the sweeper may meet the first.
    wire.cut_after(Direction::Up, "COMMIT", 2);
    let step = shop.sources.uuid_v7();
    let made = shop.transfer(order, &id, step, "Ada").await.unwrap();
    wire.cut_after(Direction::Up, "COMMIT", 0);
    assert_eq!(made.ticket.unwrap().generation, 2);
    assert!(!made.superseded);
    assert_eq!(shop.tickets(order).await[0].generation, 2);
    shop.close().await;
}
