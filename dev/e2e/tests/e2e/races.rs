//! Guests against each other, and the same message more than once.

use std::net::SocketAddr;

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use proto::Peer;
use reqwest::StatusCode;
use testkit::{NatsServer, keys::idempotency_key, quiet_ports};

use crate::harness::{BoxOffice, PATIENCE};

#[tokio::test]
async fn two_guests_race_for_the_last_ticket() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 4500).await;
    let (one, other) = (office.guest(), office.guest());
    let (a, b) = tokio::join!(one.hold(&on_sale, 1), other.hold(&on_sale, 1));
    let won = [&a, &b]
        .into_iter()
        .filter(|(status, _)| *status == StatusCode::CREATED)
        .count();
    assert_eq!(won, 1, "{a:?} {b:?}");
    let (hold, refusal) = if a.0 == StatusCode::CREATED {
        (a.1, b.1)
    } else {
        (b.1, a.1)
    };
    assert_eq!(refusal["reason"], "HELD_BY_OTHERS");

    let (_, order) = one.order(&hold, "winner@example.org").await;
    one.pay(&order, crate::guest::CARD_OK).await;
    one.wait_for(&order, "fulfilled").await;
    let (status, refusal) = other.hold(&on_sale, 1).await;
    assert_eq!(
        (status, refusal["reason"].as_str()),
        (StatusCode::CONFLICT, Some("SOLD_OUT"))
    );
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn a_guest_whose_answer_was_lost_meets_their_own_hold_and_order() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 4500).await;
    let guest = office.guest();
    let key = idempotency_key();
    let (_, hold) = guest.hold_with(&on_sale, 1, &key).await;
    let (status, again) = guest.hold_with(&on_sale, 1, &key).await;
    assert_eq!(
        (status, &again["secret"]),
        (StatusCode::CREATED, &hold["secret"])
    );
    let (status, refusal) = guest.hold_with(&on_sale, 2, &key).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refusal["reason"], "IDEMPOTENCY_KEY_REUSED");

    let key = idempotency_key();
    let copies = (0..5).map(|_| guest.order_with(&hold, "once@example.org", &key));
    let answers = futures::future::join_all(copies).await;
    let ids: std::collections::BTreeSet<_> = answers
        .iter()
        .map(|(_, order)| order["id"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(ids.len(), 1, "{answers:?}");
    let order = &answers[0].1;
    guest.pay(order, crate::guest::CARD_OK).await;
    guest.wait_for(order, "fulfilled").await;
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}

/// A provider that delivers every webhook three times, at once.
async fn tripling_provider(http: String) -> String {
    async fn triple(State(http): State<String>, headers: HeaderMap, body: Bytes) -> StatusCode {
        let deliver = || {
            let request = reqwest::Client::new().post(format!("{http}/api/v1/webhooks/sandbox"));
            request.headers(headers.clone()).body(body.clone()).send()
        };
        let (a, b, c) = tokio::join!(deliver(), deliver(), deliver());
        for answer in [a, b, c] {
            assert!(answer.unwrap().status().is_success());
        }
        StatusCode::OK
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = Router::new().route("/", post(triple)).with_state(http);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{addr}/")
}

#[tokio::test]
async fn a_webhook_delivered_three_times_has_one_effect() {
    // The gateway's port must be known before it starts.
    let http = SocketAddr::from(([127, 0, 0, 1], quiet_ports(1)[0]));
    let provider = tripling_provider(format!("http://{http}")).await;
    let settings = [(Peer::Payment, "sandbox-webhook-url", provider)];
    let nats = NatsServer::start_private().await;
    let office = BoxOffice::open_at(http, nats, &settings).await;
    let on_sale = office.put_on_sale(3, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 2, "thrice@example.org").await;
    let fulfilled = guest.wait_for(&order, "fulfilled").await;
    assert_eq!(fulfilled["tickets"].as_array().unwrap().len(), 2);
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}
