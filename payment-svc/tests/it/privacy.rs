//! Only the holder of the link sees an order.

use proto::payment::{
    CancelOrderRequest, GetOrderRequest, GetReceiptRequest, OrderStatus, StartPaymentRequest,
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
    };
    let receipt = GetReceiptRequest {
        order_id: order_id.clone(),
        secret: secret.clone(),
    };
    let (provider, idempotency_key) = (String::new(), keys::idempotency_key());
    let start = StartPaymentRequest {
        order_id,
        secret,
        provider,
        idempotency_key,
    };
    vec![
        orders.get_order(get).await.unwrap_err(),
        orders.cancel_order(cancel).await.unwrap_err(),
        orders.get_receipt(receipt).await.unwrap_err(),
        orders.start_payment(start).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn no_secret_is_stored() {
    let world = World::start().await;
    let wish = world.wish();
    let placed = world.place(wish.clone()).await.unwrap();
    let order: String = sqlx::query_scalar("SELECT o::text FROM orders o")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert!(!order.contains(&wish.hold_secret) && !order.contains(&placed.secret));
    assert!(!order.contains(&wish.idempotency_key));
    world.end().await;
}

#[tokio::test]
async fn the_story_cannot_be_rewritten() {
    let world = World::start().await;
    let placed = world.placed().await;
    for statement in [
        "UPDATE order_events SET reason = ''",
        "DELETE FROM order_events",
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
