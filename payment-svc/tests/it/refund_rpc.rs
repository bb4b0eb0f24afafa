//! Refunds as admins order and see them.

use kit::ErrorReason;
use proto::payment::{
    GetEventRefundRequest, ListRefundsRequest, OrderStatus, RefundLine, RefundOrderRequest,
    RefundStatus,
};
use testkit::{eventually, keys};

use crate::{
    desk::Clerk,
    till::{an_amount, everything, id, minor, tickets},
    world::{World, failure, reference},
};

#[tokio::test]
async fn the_same_key_is_the_same_refund() {
    let world = World::start().await;
    let placed = world.sold().await;
    let request = an_amount(&placed, 1000);
    let copies = (0..8).map(|_| world.refund(request.clone()));
    let copies = futures::future::join_all(copies).await;
    let first = id(copies[0].as_ref().unwrap());
    assert!(copies.into_iter().all(|copy| id(&copy.unwrap()) == first));
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 1);
    for other in [
        RefundOrderRequest {
            amount: None,
            ..request.clone()
        },
        RefundOrderRequest {
            reason: "another".to_owned(),
            ..request.clone()
        },
        RefundOrderRequest {
            amount: None,
            lines: tickets(&placed, 1).lines,
            ..request.clone()
        },
    ] {
        assert_eq!(
            failure(world.refund(other).await).reason,
            ErrorReason::IdempotencyKeyReused
        );
    }
    let short = RefundOrderRequest {
        idempotency_key: "short".to_owned(),
        ..request
    };
    assert_eq!(
        failure(world.refund(short).await).reason,
        ErrorReason::IdempotencyKeyInvalid
    );
    world.until(&placed, OrderStatus::PartiallyRefunded).await;
    assert_eq!(world.sent_back(&placed).await, 1000);
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'refund.request'";
    assert_eq!(world.count(audited).await, 1);
    world.end().await;
}

#[tokio::test]
async fn what_is_foreign_does_not_exist() {
    let world = World::start().await;
    let placed = world.sold().await;
    let (own, foreign) = (Clerk::admin(), Clerk::admin());
    world.tickets.grant(&own.id());
    let request = an_amount(&placed, 1000);
    let refused = failure(world.refund_as(foreign, request.clone()).await);
    assert_eq!(refused.reason, ErrorReason::NotFound);
    let refund = world.refund_as(own, request).await.unwrap();
    assert_eq!(refund.requested_by, own.id());
    let seen = |clerk| world.list(clerk, ListRefundsRequest::default());
    assert_eq!(seen(own).await.refunds.len(), 1);
    assert!(seen(foreign).await.refunds.is_empty());
    let retry = foreign.asks(proto::payment::RetryRefundRequest {
        refund_id: id(&refund),
    });
    let retry = failure(world.refunds.clone().retry_refund(retry).await);
    assert_eq!(retry.reason, ErrorReason::NotFound);
    let event = GetEventRefundRequest {
        event_id: placed.order.event_id.clone(),
    };
    let not_cancelled = world
        .refunds
        .clone()
        .get_event_refund(own.asks(event))
        .await;
    assert_eq!(failure(not_cancelled).reason, ErrorReason::NotFound);
    world.until_refund(&refund, RefundStatus::Succeeded).await;
    world.end().await;
}

#[tokio::test]
async fn there_must_be_money_that_is_not_needed() {
    let world = World::start().await;
    let placed = world.placed().await;
    let unpaid = failure(world.refund(everything(&placed)).await);
    assert_eq!(unpaid.reason, ErrorReason::OrderNotPaid);
    world.tickets.books().mood.commit_away = true;
    world
        .submit(&reference(&placed.order), "4242424242424242")
        .await
        .unwrap();
    world.until(&placed, OrderStatus::Paid).await;
    // Its tickets may be there any moment.
    let early = failure(world.refund(everything(&placed)).await);
    assert_eq!(early.reason, ErrorReason::PaymentInProgress);
    world.tickets.books().mood.commit_away = false;
    world.hurry().await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    let many = failure(world.refund(tickets(&placed, 3)).await);
    assert_eq!(many.reason, ErrorReason::RefundTooLarge);
    let absent = RefundOrderRequest {
        order_id: keys::idempotency_key(),
        ..everything(&placed)
    };
    assert_eq!(
        failure(world.refund(absent).await).reason,
        ErrorReason::NotFound
    );
    assert_eq!(world.count("SELECT count(*) FROM refunds").await, 0);
    world.end().await;
}

fn line(ticket_type_id: &str, quantity: u32, ticket_ids: &[&str]) -> RefundLine {
    RefundLine {
        ticket_type_id: ticket_type_id.to_owned(),
        quantity,
        ticket_ids: ticket_ids.iter().map(|id| (*id).to_owned()).collect(),
    }
}

async fn broken_fields(world: &World, request: RefundOrderRequest) -> Vec<String> {
    let refused = failure(world.refund(request).await);
    assert_eq!(refused.reason, ErrorReason::InvalidRequest);
    let fields = refused.fields.into_iter();
    fields.map(|problem| problem.field).collect()
}

#[tokio::test]
async fn every_broken_line_is_named() {
    let world = World::start().await;
    let placed = world.sold().await;
    let kind = placed.order.lines[0].ticket_type_id.as_str();
    let cases = [
        (vec![line("x", 1, &[])], "lines[0].ticket_type_id"),
        (vec![line(kind, 0, &[])], "lines[0].quantity"),
        (vec![line(kind, 2, &[kind])], "lines[0].quantity"),
        (vec![line(kind, 0, &["x"])], "lines[0].ticket_ids"),
        (vec![line(kind, 0, &[kind, kind])], "lines[0].ticket_ids"),
        (vec![line(kind, 1, &[]); 2], "lines[1].ticket_type_id"),
    ];
    for (lines, field) in cases {
        let request = RefundOrderRequest {
            lines,
            ..everything(&placed)
        };
        assert_eq!(broken_fields(&world, request).await, [field]);
    }
    world.end().await;
}

#[tokio::test]
async fn a_bad_amount_or_note_is_named() {
    let world = World::start().await;
    let placed = world.sold().await;
    for (amount_minor, currency) in [(100, "USD"), (0, "EUR"), (-1, "EUR"), (1, "euro")] {
        let mut request = an_amount(&placed, amount_minor);
        request.amount.as_mut().unwrap().currency = currency.to_owned();
        assert_eq!(broken_fields(&world, request).await, ["amount"]);
    }
    let mut both = an_amount(&placed, 1);
    both.lines = tickets(&placed, 1).lines;
    assert_eq!(broken_fields(&world, both).await, ["amount"]);
    let mut long = everything(&placed);
    long.reason = "x".repeat(501);
    assert_eq!(broken_fields(&world, long).await, ["reason"]);
    world.end().await;
}

#[tokio::test]
async fn the_list_has_pages() {
    let world = World::start().await;
    let placed = world.sold().await;
    let mut wanted = Vec::new();
    for amount in 1..=5 {
        wanted.push(id(&world.refund(an_amount(&placed, amount)).await.unwrap()));
    }
    wanted.reverse();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListRefundsRequest {
            event_id: placed.order.event_id.clone(),
            page_size: 2,
            page_token: token,
            ..Default::default()
        };
        let page = world.list(Clerk::superadmin(), request).await;
        assert!(
            page.refunds
                .iter()
                .all(|listed| listed.order_number == placed.order.number)
        );
        seen.extend(
            page.refunds
                .iter()
                .map(|listed| id(listed.refund.as_ref().unwrap())),
        );
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, wanted);
    eventually(
        "all of them",
        std::time::Duration::from_secs(60),
        || async {
            let request = ListRefundsRequest {
                status: RefundStatus::Succeeded.into(),
                ..Default::default()
            };
            (world.list(Clerk::superadmin(), request).await.refunds.len() == 5).then_some(())
        },
    )
    .await;
    world.end().await;
}

/// Two payments have money: each gives its own back, and the answer is the first.
#[tokio::test]
async fn every_payment_of_the_order_gives_back() {
    let mut world = World::start().await;
    let placed = world.sold().await;
    world
        .sql("INSERT INTO payment_attempts (id, order_id, number, provider, provider_key, amount_minor,
                  currency, status, provider_ref, deadline, captured_minor, captured_currency, captured_at)
              SELECT gen_random_uuid(), order_id, 2, 'manual', 'second', 9000, 'EUR', 'succeeded', 'second',
                  deadline, 9000, 'EUR', clock_timestamp() FROM payment_attempts")
        .await;
    let refund = world.refund(everything(&placed)).await.unwrap();
    assert_eq!(
        (minor(&refund), refund.provider.as_str()),
        (9000, "sandbox")
    );
    let all = world
        .list(Clerk::superadmin(), ListRefundsRequest::default())
        .await;
    let other = all.refunds.into_iter().filter_map(|listed| listed.refund);
    let other = other
        .into_iter()
        .find(|other| id(other) != id(&refund))
        .unwrap();
    assert_eq!((minor(&other), other.provider.as_str()), (9000, "manual"));
    world.until_refund(&refund, RefundStatus::Succeeded).await;
    eventually("by hand", std::time::Duration::from_secs(60), || async {
        world.settle(&other).await.ok()
    })
    .await;
    world.until(&placed, OrderStatus::Refunded).await;
    world.crash();
}
