//! Bank transfers: a reference for the guest, the word of an admin for what arrived.

use std::time::Duration;

use kit::ErrorReason;
use proto::{
    common::Money,
    payment::{
        AttemptStatus, ConfirmPaymentRequest, Order, OrderStatus, PlaceOrderRequest, RefundReason,
        RejectPaymentRequest, VerifyPaymentRequest,
    },
};
use testkit::{eventually, keys};
use tonic::Status;

use crate::{
    desk::Clerk,
    inventory::EVENT,
    world::{Placed, World, failure, reference},
};

pub async fn open() -> World {
    World::start_with(&[
        ("--payment-providers", "sandbox,manual"),
        (
            "--manual-payment-instructions",
            "Boxoffice GmbH, DE89 3704 0044 0532 0130 00",
        ),
    ])
    .await
}

/// Two tickets at 45.00 EUR, to be paid by transfer.
pub async fn placed(world: &World) -> Placed {
    let wish = PlaceOrderRequest {
        provider: "manual".to_owned(),
        ..world.wish()
    };
    Placed::from(world.place(wish).await.unwrap())
}

pub fn arrival(placed: &Placed, amount_minor: Option<i64>) -> ConfirmPaymentRequest {
    ConfirmPaymentRequest {
        order_id: placed.order.id.clone(),
        amount: amount_minor.map(|amount_minor| Money {
            amount_minor,
            currency: "EUR".to_owned(),
        }),
        note: "Statement 12".to_owned(),
        idempotency_key: keys::idempotency_key(),
    }
}

pub async fn confirm(world: &World, request: ConfirmPaymentRequest) -> Result<Order, Status> {
    let request = Clerk::superadmin().asks(request);
    let answer = world.admin().confirm_payment(request).await?;
    Ok(answer.into_inner().order.unwrap())
}

pub async fn reject(world: &World, placed: &Placed) -> Result<Order, Status> {
    let request = Clerk::superadmin().asks(RejectPaymentRequest {
        order_id: placed.order.id.clone(),
        note: "Nothing came.".to_owned(),
    });
    let answer = world.admin().reject_payment(request).await?;
    Ok(answer.into_inner().order.unwrap())
}

/// Reason and amount of each refund.
fn refunds(order: &Order) -> Vec<(RefundReason, i64)> {
    let refunds = order.refunds.iter();
    refunds
        .map(|r| (r.reason(), r.amount.as_ref().unwrap().amount_minor))
        .collect()
}

fn due(order: &Order) -> Option<i64> {
    order.balance_due.as_ref().map(|due| due.amount_minor)
}

#[tokio::test]
async fn the_guest_is_told_how_to_pay_and_an_admin_confirms() {
    let world = open().await;
    let placed = placed(&world).await;
    let payment = placed.order.payment.clone().unwrap();
    assert_eq!(
        (payment.provider.as_str(), payment.checkout_url.as_str()),
        ("manual", "")
    );
    assert!(payment.payment_ref.starts_with(&placed.order.number));
    let told = format!(
        "Boxoffice GmbH, DE89 3704 0044 0532 0130 00\nAmount: 90.00 EUR\nReference: {}",
        payment.payment_ref
    );
    assert_eq!(payment.instructions, told);

    let asked = Clerk::superadmin().asks(VerifyPaymentRequest {
        order_id: placed.order.id.clone(),
    });
    let cannot = failure(world.admin().verify_payment(asked).await);
    assert_eq!(cannot.reason, ErrorReason::ProviderCannot);

    let request = arrival(&placed, None);
    let order = confirm(&world, request.clone()).await.unwrap();
    assert!(matches!(
        order.status(),
        OrderStatus::Paid | OrderStatus::Fulfilled
    ));
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    let captured = order.payment.unwrap().captured.unwrap();
    assert_eq!(captured.amount_minor, 9000);
    // Once more is the same money; with another body it is a mistake.
    confirm(&world, request.clone()).await.unwrap();
    let other = ConfirmPaymentRequest {
        note: "Statement 13".to_owned(),
        ..request
    };
    let reused = failure(confirm(&world, other).await);
    assert_eq!(reused.reason, ErrorReason::IdempotencyKeyReused);
    assert_eq!(world.count("SELECT count(*) FROM manual_arrivals").await, 1);
    assert_eq!(
        world.count("SELECT count(*) FROM audit_log WHERE action = 'payment.confirm' AND after->>'note' = 'Statement 12' AND after->>'amount_minor' = '9000'").await,
        1,
        "what arrived is on record, also where the whole balance was meant"
    );
    world.end().await;
}

#[tokio::test]
async fn too_little_waits_for_the_rest() {
    let world = open().await;
    let placed = placed(&world).await;
    let order = confirm(&world, arrival(&placed, Some(2500))).await.unwrap();
    assert_eq!(order.status(), OrderStatus::AwaitingPayment);
    assert_eq!(due(&order), Some(6500));
    let payment = order.payment.unwrap();
    assert_eq!(payment.status(), AttemptStatus::RequiresAction);
    assert!(payment.instructions.contains("Amount: 65.00 EUR"));
    let second = world.start_payment(&placed, &keys::idempotency_key()).await;
    assert_eq!(failure(second).reason, ErrorReason::PaymentInProgress);
    confirm(&world, arrival(&placed, None)).await.unwrap();
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!((due(&order), order.refunds.len()), (None, 0));
    world.end().await;
}

#[tokio::test]
async fn too_much_is_sold_and_the_difference_goes_back() {
    let world = open().await;
    let placed = placed(&world).await;
    confirm(&world, arrival(&placed, Some(10_000)))
        .await
        .unwrap();
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(refunds(&order), [(RefundReason::Overpaid, 1000)]);
    // And again, after the sale.
    confirm(&world, arrival(&placed, Some(500))).await.unwrap();
    let order = world.order(&placed, false).await;
    assert_eq!(order.status(), OrderStatus::Fulfilled);
    let both = [
        (RefundReason::Overpaid, 1000),
        (RefundReason::Overpaid, 500),
    ];
    assert_eq!(refunds(&order), both);
    // There is no balance that an amount left out could mean.
    let unclear = failure(confirm(&world, arrival(&placed, None)).await);
    assert_eq!(unclear.reason, ErrorReason::OrderNotPaid);
    world.end().await;
}

#[tokio::test]
async fn a_part_goes_back_when_the_time_is_over_and_so_does_what_follows() {
    let world = open().await;
    world.tickets.books().mood.pay_secs = 2;
    let placed = placed(&world).await;
    confirm(&world, arrival(&placed, Some(2500))).await.unwrap();
    let order = world.until(&placed, OrderStatus::Expired).await;
    assert_eq!(refunds(&order), [(RefundReason::OrderEnded, 2500)]);
    // The guest pays the rest, too late, and then all of it.
    let order = confirm(&world, arrival(&placed, Some(6500))).await.unwrap();
    assert_eq!(order.status(), OrderStatus::Expired);
    let both = [
        (RefundReason::OrderEnded, 2500),
        (RefundReason::Overpaid, 6500),
    ];
    assert_eq!(refunds(&order), both);
    confirm(&world, arrival(&placed, Some(9000))).await.unwrap();
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    assert_eq!(order.refunds.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn all_of_it_too_late_is_a_late_payment() {
    let world = open().await;
    let (sold, gone) = (placed(&world).await, placed(&world).await);
    world.cancel(&sold).await.unwrap();
    world.cancel(&gone).await.unwrap();
    confirm(&world, arrival(&sold, None)).await.unwrap();
    world.until(&sold, OrderStatus::Fulfilled).await;
    world.tickets.books().mood.sold_out = true;
    confirm(&world, arrival(&gone, Some(9100))).await.unwrap();
    let order = eventually("the money goes back", Duration::from_secs(60), || async {
        let order = world.order(&gone, false).await;
        let refused = order.status() == OrderStatus::Unfulfillable;
        (refused && order.refunds.len() == 2).then_some(order)
    })
    .await;
    let both = [
        (RefundReason::Overpaid, 100),
        (RefundReason::Unfulfillable, 9000),
    ];
    assert_eq!(refunds(&order), both);
    world.end().await;
}

#[tokio::test]
async fn what_will_not_come_is_rejected() {
    let world = open().await;
    let placed = placed(&world).await;
    confirm(&world, arrival(&placed, Some(2500))).await.unwrap();
    let order = reject(&world, &placed).await.unwrap();
    assert_eq!(order.status(), OrderStatus::Cancelled);
    assert_eq!(
        order.payment.as_ref().unwrap().status(),
        AttemptStatus::Cancelled
    );
    assert_eq!(refunds(&order), [(RefundReason::OrderEnded, 2500)]);
    // Once more changes nothing.
    reject(&world, &placed).await.unwrap();
    assert_eq!(
        world
            .count("SELECT count(*) FROM audit_log WHERE action = 'payment.reject'")
            .await,
        1
    );
    eventually("the stock is free", Duration::from_secs(60), || async {
        let books = world.tickets.books();
        books.orders[&placed.order.id].released.then_some(())
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn nobody_confirms_or_rejects_what_a_provider_knows() {
    let world = open().await;
    let placed = world.placed().await;
    let confirmed = failure(confirm(&world, arrival(&placed, None)).await);
    assert_eq!(confirmed.reason, ErrorReason::ProviderCannot);
    let rejected = failure(reject(&world, &placed).await);
    assert_eq!(rejected.reason, ErrorReason::ProviderCannot);
    world.pay(&placed.order).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn two_admins_confirm_the_same_transfer() {
    let world = open().await;
    let placed = placed(&world).await;
    let confirmations = (0..8).map(|_| confirm(&world, arrival(&placed, Some(9000))));
    for answer in futures::future::join_all(confirmations).await {
        answer.unwrap();
    }
    let order = world.until(&placed, OrderStatus::Fulfilled).await;
    // Each said that money came: what the order did not need goes back, all of it.
    assert_eq!(refunds(&order), [(RefundReason::Overpaid, 9000); 7]);
    world.end().await;
}

#[tokio::test]
async fn bad_confirmations_name_their_fields_and_foreign_ones_find_nothing() {
    let world = open().await;
    let placed = placed(&world).await;
    let mut odd = arrival(&placed, Some(9000));
    odd.amount.as_mut().unwrap().currency = "USD".to_owned();
    odd.note = "x".repeat(501);
    let failed = failure(confirm(&world, odd).await);
    let fields: Vec<&str> = failed.fields.iter().map(|p| p.field.as_str()).collect();
    assert_eq!(fields, ["note", "amount"]);
    let nothing = failure(confirm(&world, arrival(&placed, Some(0))).await);
    assert_eq!(nothing.fields[0].field, "amount");

    let clerk = Clerk::admin();
    let foreign = world
        .admin()
        .confirm_payment(clerk.asks(arrival(&placed, None)))
        .await;
    assert_eq!(failure(foreign).reason, ErrorReason::NotFound);
    world.tickets.grant(&clerk.id());
    assert_eq!(placed.order.event_id, EVENT);
    let own = world
        .admin()
        .confirm_payment(clerk.asks(arrival(&placed, None)))
        .await;
    own.unwrap();
    world.until(&placed, OrderStatus::Fulfilled).await;
    let by = sqlx::query_scalar::<_, String>("SELECT actor FROM audit_log")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(by, clerk.id());
    world.end().await;
}

#[tokio::test]
async fn every_attempt_has_a_reference_of_its_own() {
    let world = open().await;
    let mut references = Vec::new();
    for _ in 0..5 {
        references.push(reference(&placed(&world).await.order));
    }
    references.sort();
    references.dedup();
    assert_eq!(references.len(), 5);
    world.end().await;
}
