//! What guests hear of an order beside its receipt, by the mails that they really get.

use proto::Peer;
use reqwest::{StatusCode, header::CONTENT_TYPE};
use serde_json::json;
use testkit::{NatsServer, keys::idempotency_key};

use crate::{
    guest::answer,
    harness::{BoxOffice, PATIENCE},
};

/// Readable: soft line breaks are gone.
fn text(data: &str) -> String {
    data.replace("=\r\n", "").replace("=3D", "=")
}

/// The headers, each on one line.
fn head(data: &str) -> String {
    let (head, _) = data.split_once("\r\n\r\n").unwrap();
    let lines = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    lines.replace("  ", " ")
}

#[tokio::test]
async fn who_pays_by_transfer_hears_where_to_and_what_is_missing() {
    let settings = [
        (
            Peer::Payment,
            "payment-providers",
            "sandbox,manual".to_owned(),
        ),
        (
            Peer::Payment,
            "manual-payment-instructions",
            "Nightjar z.s., CZ65 0800 0000 1920 0014 5399".to_owned(),
        ),
    ];
    let office = BoxOffice::open_with(NatsServer::start_private().await, &settings).await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let (_, hold) = guest.hold(&on_sale, 2).await;
    let wish = json!({
        "hold_id": hold["id"],
        "hold_secret": hold["secret"],
        "email": "anezka@example.org",
        "phone_number": "+420 123 456 789",
        "name": "Anežka Nováková",
        "expected_total": hold["total"],
        "provider": "manual",
    });
    let (status, order) = guest
        .post("/api/v1/orders", &idempotency_key(), &wish)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{order}");
    let mails = office.smtp.wait_for(1, PATIENCE).await;
    let reference = order["payment"]["payment_ref"].as_str().unwrap();
    for words in ["CZ65 0800 0000 1920 0014 5399", reference, "90.00"] {
        assert!(text(&mails[0].data).contains(words), "{words}");
    }

    let path = format!(
        "/api/v1/admin/orders/{}/confirm-payment",
        order["id"].as_str().unwrap()
    );
    let part = json!({"amount": {"amount_minor": 2500, "currency": "EUR"}, "note": "Statement 12"});
    let (status, told) = office.admin_post(&path, &part).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let mails = office.smtp.wait_for(2, PATIENCE).await;
    assert!(text(&mails[1].data).contains("65.00"), "{}", mails[1].data);
    let (status, told) = office.admin_post(&path, &json!({"note": "The rest"})).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(3, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn a_reminder_comes_and_its_link_ends_what_is_no_receipt() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 1, "anezka@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(1, PATIENCE).await;
    let mut payments = office.databases.payments.connect().await;
    // As if it were sold long ago, for tomorrow, at a place where it is noon now. The sign of these
    // zones is the other way round.
    sqlx::query(
        "UPDATE orders
         SET event_date_time = date_trunc('second', now()) + interval '20 hours',
             event_timezone = 'Etc/GMT' || CASE WHEN hour < 12 THEN '' ELSE '+' END || (hour - 12),
             event_version = 99, paid_at = paid_at - interval '5 days'
         FROM (SELECT extract(hour FROM now() AT TIME ZONE 'UTC')::int) utc (hour)",
    )
    .execute(&mut payments)
    .await
    .unwrap();
    let mails = office.smtp.wait_for(2, PATIENCE).await;
    assert_eq!(mails[1].to, ["anezka@example.org"]);
    let reminder = head(&mails[1].data);
    let (_, rest) = reminder
        .split_once("List-Unsubscribe: <")
        .expect("a link for one click");
    let link = rest.split('>').next().unwrap();
    // A receipt has none.
    assert!(!head(&mails[0].data).contains("List-Unsubscribe"));

    // As a mail client does it: no cookie, no word of the shop's.
    let client = reqwest::Client::new();
    let click = client
        .post(link)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("List-Unsubscribe=One-Click");
    let (status, body) = answer(click).await;
    assert!(status.is_success(), "{status} {body}");
    let notices: bool = sqlx::query_scalar("SELECT notices FROM orders")
        .fetch_one(&mut payments)
        .await
        .unwrap();
    assert!(!notices);
    let path = format!(
        "/api/v1/admin/orders/{}/refunds",
        order["id"].as_str().unwrap()
    );
    let all = json!({"reason": "We are sorry."});
    let (status, made) = office.admin_post(&path, &all).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    guest.wait_for(&order, "refunded").await;
    // The doctor counts that nothing more was told, and that this is right.
    office.close().await;
}
