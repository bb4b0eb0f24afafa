//! A guest is erased: nothing of them is left, nothing more is sent, and nothing comes back.

use std::slice::from_ref;

use proto::event::{OrderCancelled, OrderErased, envelope::Payload};

use crate::harness::Harness;

async fn traces(harness: &Harness, text: &str) -> i64 {
    sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM notifications n
                 WHERE n::text ILIKE '%' || $1 || '%'
                    OR position(convert_to($1, 'UTF8') IN n.content) > 0)
              + (SELECT count(*) FROM bounces b WHERE b::text ILIKE '%' || $1 || '%')",
    )
    .bind(text)
    .fetch_one(&harness.rows)
    .await
    .unwrap()
}

#[tokio::test]
async fn of_an_erased_guest_nothing_is_left_and_nothing_comes_back() {
    let harness = Harness::start().await;
    let sent = harness.envelope();
    let Some(Payload::OrderPaid(paid)) = &sent.payload else {
        unreachable!()
    };
    let order_id = paid.order_id.clone();
    harness.accept(from_ref(&sent)).await;
    let notification = harness.reaches(&sent, "sent", 1).await;
    // A second one waits, with the address in the mail server's words.
    harness.sink.refuse_domain("example.com", 451);
    let mut order = harness.order();
    order.order_id = order_id.clone();
    let cancelled = harness.message(Payload::OrderCancelled(OrderCancelled {
        order: Some(order.clone()),
        explanation: "The singer is ill.".to_owned(),
        refund: None,
    }));
    harness.accept(from_ref(&cancelled)).await;
    harness.round_passes_for("someone@elsewhere.example").await;
    sqlx::query("UPDATE notifications SET last_error = '451 zofia@example.com is busy' WHERE kind = 'cancelled'")
        .execute(&harness.rows)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO bounces (digest, notification_id, action, detail)
         VALUES ('x', $1, 'failed', 'zofia@example.com unknown')",
    )
    .bind(notification.id.uuid())
    .execute(&harness.rows)
    .await
    .unwrap();
    assert!(traces(&harness, "zofia@example.com").await > 0);

    let erased = harness.message(Payload::OrderErased(OrderErased {
        order_id: order_id.clone(),
    }));
    let accepted = harness.accept(from_ref(&erased)).await;
    assert_eq!(accepted.as_slice(), from_ref(&erased.message_id));
    harness.sink.heal_domain("example.com");
    harness.let_time_pass().await;
    // A message of before, again, and one that was overtaken.
    let late = harness.message(Payload::OrderCancelled(OrderCancelled {
        order: Some(order),
        explanation: String::new(),
        refund: None,
    }));
    harness.accept(&[sent.clone(), cancelled, late]).await;
    harness.accept(from_ref(&erased)).await;
    harness.round_passes_for("someone@elsewhere.example").await;

    assert_eq!(traces(&harness, "zofia").await, 0);
    let statuses: Vec<String> =
        sqlx::query_scalar("SELECT status FROM notifications WHERE order_id = $1::uuid")
            .bind(&order_id)
            .fetch_all(&harness.rows)
            .await
            .unwrap();
    assert_eq!(statuses, ["erased"; 3]);
    let to_her = harness.sink.messages();
    let to_her = to_her
        .iter()
        .filter(|mail| mail.to == ["zofia@example.com"]);
    assert_eq!(to_her.count(), 1, "the receipt of before");
    harness.check_invariants(1).await;
}
