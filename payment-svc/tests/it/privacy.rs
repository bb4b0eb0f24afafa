//! Only the holder of the link sees an order.

use proto::payment::{
    CancelOrderRequest, CorrectAddressRequest, GetOrderMarkRequest, GetOrderRequest,
    GetReceiptRequest, OrderStatus, ResendReceiptRequest, StartPaymentRequest,
    TransferTicketRequest, UnsubscribeRequest, UpdatePreferencesRequest,
};
use testkit::keys;
use tonic::{Code, Status};

use crate::world::{World, failure};

#[tokio::test]
async fn a_wrong_secret_and_an_absent_order_are_one_answer() {
    let world = World::start().await;
    let (mine, other) = (world.placed().await, world.placed().await);
    let absent = "0190b6a2-7c1e-8000-8000-0123456789ab";
    for (id, secret) in [
        (mine.order.id.as_str(), other.secret.as_str()),
        (&mine.order.id, ""),
        (&mine.order.id, &mine.secret[..42]),
        (absent, &mine.secret),
        ("no id", &mine.secret),
    ] {
        for status in every_call(&world, id, secret).await {
            assert_eq!(status.code(), Code::NotFound);
            assert_eq!(status.message(), "There is no such order.");
        }
    }
    assert_eq!(
        world.order(&mine, false).await.status(),
        OrderStatus::AwaitingPayment
    );
    world.end().await;
}

async fn every_call(world: &World, id: &str, secret: &str) -> Vec<Status> {
    let (order_id, secret) = (id.to_owned(), secret.to_owned());
    let mut orders = world.orders.clone();
    let get = GetOrderRequest {
        order_id: order_id.clone(),
        secret: secret.clone(),
        refresh: true,
    };
    let cancel = CancelOrderRequest {
        order_id: order_id.clone(),
        secret: secret.clone(),
        expected_refund: None,
    };
    let receipt = GetReceiptRequest {
        order_id: order_id.clone(),
        secret: secret.clone(),
        money_only: false,
    };
    let mut refused = at_the_desk(world, &order_id, &secret).await;
    let (provider, idempotency_key) = (String::new(), keys::idempotency_key());
    let start = StartPaymentRequest {
        order_id,
        secret,
        provider,
        idempotency_key,
    };
    refused.extend([
        orders.get_order(get).await.unwrap_err(),
        orders.cancel_order(cancel).await.unwrap_err(),
        orders.get_receipt(receipt).await.unwrap_err(),
        orders.start_payment(start).await.unwrap_err(),
    ]);
    refused
}

async fn at_the_desk(world: &World, id: &str, secret: &str) -> Vec<Status> {
    let (order_id, secret) = (id.to_owned(), secret.to_owned());
    let mut desk = world.desk.clone();
    let key = keys::idempotency_key;
    let resend = ResendReceiptRequest {
        order_id: order_id.clone(),
        secret: secret.clone(),
        idempotency_key: key(),
    };
    let prefer = UpdatePreferencesRequest {
        order_id: order_id.clone(),
        secret: secret.clone(),
        ..Default::default()
    };
    let mark = GetOrderMarkRequest {
        order_id: order_id.clone(),
        secret: secret.clone(),
    };
    let unsubscribe = UnsubscribeRequest {
        order_id: order_id.clone(),
        token: secret.clone(),
    };
    let correct = CorrectAddressRequest {
        order_id: order_id.clone(),
        secret: secret.clone(),
        purchase_proof: String::new(),
        email: "eve@example.org".to_owned(),
        idempotency_key: key(),
    };
    let transfer = TransferTicketRequest {
        order_id,
        secret,
        ticket_id: "0190b6a2-7c1e-7000-8000-0123456789ab".to_owned(),
        email: "eve@example.org".to_owned(),
        name: "Eve".to_owned(),
        idempotency_key: key(),
        ..Default::default()
    };
    vec![
        desk.resend_receipt(resend).await.unwrap_err(),
        desk.update_preferences(prefer).await.unwrap_err(),
        desk.get_order_mark(mark).await.unwrap_err(),
        desk.unsubscribe(unsubscribe).await.unwrap_err(),
        desk.correct_address(correct).await.unwrap_err(),
        desk.transfer_ticket(transfer).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn no_secret_is_stored() {
    let world = World::start().await;
    let wish = world.wish();
    let placed = world.place(wish.clone()).await.unwrap();
    let mut conn = world.pool.acquire().await.unwrap();
    for secret in [&wish.hold_secret, &placed.secret, &wish.idempotency_key] {
        assert_eq!(testkit::tables_with(&mut conn, secret).await, [""; 0]);
    }
    // The search finds what is there.
    assert_eq!(
        testkit::tables_with(&mut conn, &wish.email).await,
        ["orders"]
    );
    drop(conn);
    world.end().await;
}

#[tokio::test]
async fn the_story_cannot_be_rewritten() {
    let world = World::start().await;
    let placed = world.placed().await;
    for statement in [
        "UPDATE order_events SET reason = ''",
        "DELETE FROM order_events",
        "TRUNCATE order_events",
        "TRUNCATE audit_log",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&world.pool).await;
        assert!(refused.unwrap_err().to_string().contains("append-only"));
    }
    // And a guest's key is not good for another order's payments.
    let key = keys::idempotency_key();
    world.decline(&placed.order).await;
    world.start_payment(&placed, &key).await.unwrap();
    let (order_id, secret) = (placed.order.id, placed.secret);
    let provider = "sandbox".to_owned();
    let other = StartPaymentRequest {
        order_id,
        secret,
        provider,
        idempotency_key: key,
    };
    let reused = failure(world.orders.clone().start_payment(other).await);
    assert_eq!(reused.reason, kit::ErrorReason::IdempotencyKeyReused);
    world.end().await;
}
