//! Bad input gets a clear answer through the whole mesh.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::keys::idempotency_key;

use crate::{
    guest::Answer,
    harness::{BoxOffice, OnSale, PATIENCE},
};

fn assert_problem((status, body): Answer, expected: u16, reason: &str) -> Value {
    assert_eq!(
        (status.as_u16(), body["reason"].as_str()),
        (expected, Some(reason)),
        "{body}"
    );
    assert_eq!(body["status"], expected);
    for field in ["type", "title", "detail", "trace_id"] {
        assert!(
            body[field].as_str().is_some_and(|text| !text.is_empty()),
            "no {field}: {body}"
        );
    }
    body
}

#[tokio::test]
async fn each_bad_request_names_its_reason() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let (_, hold) = guest.hold(&on_sale, 1).await;

    let refused = assert_problem(
        guest.order(&hold, "not an address").await,
        422,
        "INVALID_REQUEST",
    );
    assert_eq!(refused["errors"][0]["field"], "email", "{refused}");
    let nul = assert_problem(
        guest.order(&hold, "a\0b@example.org").await,
        422,
        "INVALID_REQUEST",
    );
    assert_eq!(nul["errors"][0]["field"], "email", "{nul}");
    let huge = guest.hold(&on_sale, 4_000_000_000).await;
    assert!(
        matches!(
            huge.1["reason"].as_str(),
            Some("LIMIT_EXCEEDED" | "INVALID_REQUEST")
        ),
        "{huge:?}"
    );
    let broken = guest
        .post_raw("/api/v1/holds", "application/json", "{\"event_id\": ")
        .await;
    assert_problem(broken, 400, "MALFORMED_BODY");
    let media = guest.post_raw("/api/v1/holds", "text/plain", "{}").await;
    assert_problem(media, 415, "UNSUPPORTED_MEDIA_TYPE");
    let unknown = "/api/v1/events/0192f000-0000-7000-8000-000000000000";
    assert_problem(guest.call(Method::GET, unknown).await, 404, "NOT_FOUND");
    let short = guest.hold_with(&on_sale, 1, "short").await;
    assert_problem(short, 400, "IDEMPOTENCY_KEY_INVALID");
    assert_problem(
        guest.call(Method::PUT, "/api/v1/holds").await,
        405,
        "METHOD_NOT_ALLOWED",
    );
    assert_problem(
        guest.call(Method::GET, "/api/v1/nothing").await,
        404,
        "NOT_FOUND",
    );
    let elsewhere = OnSale {
        event_id: "0192f000-0000-7000-8000-000000000000".to_owned(),
        ticket_type_id: on_sale.ticket_type_id.clone(),
    };
    let (status, _) = guest.hold(&elsewhere, 1).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let order = guest.buy(&on_sale, 1, "right@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    let foreign = json!({"id": order["id"], "secret": hold["secret"]});
    assert_problem(guest.see(&foreign).await, 404, "NOT_FOUND");
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn an_expired_hold_is_dead_at_once() {
    let short = [(proto::Peer::Ticket, "hold-ttl-secs", "1".to_owned())];
    let nats = testkit::NatsServer::start_private().await;
    let office = BoxOffice::open_with(nats, &short).await;
    let on_sale = office.put_on_sale(1, 4500).await;
    let guest = office.guest();
    let (_, hold) = guest.hold(&on_sale, 1).await;
    testkit::eventually("the hold to expire", PATIENCE, async || {
        let body = json!({
            "hold_id": hold["id"], "hold_secret": hold["secret"], "email": "slow@example.org",
            "phone_number": "+420123456789", "expected_total": {"amount_minor": 1, "currency": "EUR"},
        });
        let (status, answer) = guest.post("/api/v1/orders", &idempotency_key(), &body).await;
        // Before it expires the wrong total is what is wrong.
        assert_eq!(status, StatusCode::CONFLICT, "{answer}");
        (answer["reason"] == "HOLD_EXPIRED").then_some(())
    })
    .await;
    office.close().await;
}
