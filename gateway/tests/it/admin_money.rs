//! Orders and money, as admins see and settle them.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    facts::{self, ATTEMPT, EVENT, ORDER, REFUND, STANDING},
    harness::{Edge, KEY, edge, header, refusal},
};

fn eur(amount_minor: i64) -> Value {
    json!({"amount_minor": amount_minor, "currency": "EUR"})
}

fn get(edge: &Edge, path: &str) -> RequestBuilder {
    edge.get(path).bearer_auth("good")
}

fn post(edge: &Edge, path: &str) -> RequestBuilder {
    edge.request(Method::POST, path).bearer_auth("good")
}

async fn answer(request: RequestBuilder, status: u16) -> Value {
    let response = request.send().await.unwrap();
    let found = response.status().as_u16();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn field(name: &str) -> (u64, String, Option<String>) {
    (422, "INVALID_REQUEST".to_owned(), Some(name.to_owned()))
}

#[track_caller]
fn asked(edge: &Edge, parts: &[&str]) {
    let asked = edge.stub.last_asked();
    for part in parts {
        assert!(asked.contains(part), "{part} in {asked}");
    }
}

#[tokio::test]
async fn orders_are_searched() {
    edge(async |edge| {
        let path = format!(
            "/api/v1/admin/orders?event_id={EVENT}&status=partially_refunded&email=a%40b.org\
             &query=BX&needs_attention=true&page_size=5&page_token=abc"
        );
        let page = answer(get(edge, &path), 200).await;
        assert_eq!(page["next_page_token"], "next");
        let order = &page["orders"][0];
        assert_eq!(order["id"], ORDER);
        assert_eq!(order["status"], "partially_refunded");
        assert_eq!(
            (&order["captured"], &order["refunded"]),
            (&eur(5000), &eur(2500))
        );
        assert_eq!(order["needs_attention"], Value::Null);
        assert_eq!(order["paid_at"], "2027-06-01T17:46:00Z");
        asked(
            edge,
            &[
                "status: PartiallyRefunded",
                "email: \"a@b.org\"",
                "query: \"BX\"",
                "needs_attention: true",
                "page_size: 5",
                "page_token: \"abc\"",
            ],
        );
        // What a form leaves empty is not asked for.
        answer(get(edge, "/api/v1/admin/orders?event_id=&status="), 200).await;
        asked(edge, &["status: Unspecified"]);

        let times = edge.stub.times_asked();
        for (query, name) in [
            ("status=unspecified", "status"),
            ("status=PAID", "status"),
            ("status=gone", "status"),
            ("needs_attention=maybe", "needs_attention"),
            ("surprise=1", "surprise"),
        ] {
            let request = get(edge, &format!("/api/v1/admin/orders?{query}"));
            assert_eq!(refusal(request).await, field(name), "{query}");
        }
        assert_eq!(edge.stub.times_asked(), times);
    })
    .await;
}

#[tokio::test]
async fn an_order_has_its_whole_story() {
    edge(async |edge| {
        let story = answer(get(edge, &format!("/api/v1/admin/orders/{ORDER}")), 200).await;
        assert_eq!(story["order"]["status"], "fulfilled");
        assert_eq!(story["needs_attention"], "A refund needs a person.");
        assert_eq!(story["attempts"][0]["id"], ATTEMPT);
        assert_eq!(story["attempts"][0]["refunded"], eur(2500));
        let refund = &story["refunds"][0];
        assert_eq!(
            (&refund["id"], &refund["provider_ref"]),
            (&json!(REFUND), &json!("re_1"))
        );
        assert_eq!(refund["failure_reason"], Value::Null);
        assert_eq!(story["history"][0]["from"], Value::Null);
        assert_eq!(story["history"][0]["to"], "created");
        assert_eq!(story["provider_events"][0]["outcome"], "paid");
        assert_eq!(story["account_entries"][1]["amount"], eur(-5000));
        let absent = get(edge, "/api/v1/admin/orders/1");
        assert_eq!(refusal(absent).await, (404, "NOT_FOUND".to_owned(), None));
    })
    .await;
}

#[tokio::test]
async fn money_is_sent_back() {
    edge(async |edge| {
        let path = format!("/api/v1/admin/orders/{ORDER}/refunds");
        let refund = |body: Value| {
            let request = post(edge, &path).header("idempotency-key", KEY);
            request.json(&body)
        };
        let made = answer(refund(json!({"reason": "All of it."})), 201).await;
        assert_eq!((&made["id"], &made["amount"]), (&json!(REFUND), &eur(2500)));
        assert_eq!(made["tickets_voided"], true);
        asked(
            edge,
            &["lines: []", "amount: None", "reason: \"All of it.\"", KEY],
        );

        let ticket = "0190b6a2-7c1e-7000-8000-000000000101";
        let lines = json!([{"ticket_type_id": STANDING, "ticket_ids": [ticket]}]);
        answer(refund(json!({"lines": lines, "reason": ""})), 201).await;
        asked(edge, &[STANDING, "quantity: 0", ticket]);
        answer(
            refund(json!({"amount": eur(700), "reason": "A delay."})),
            201,
        )
        .await;
        asked(edge, &["amount_minor: 700", "lines: []"]);

        let times = edge.stub.times_asked();
        // A program that found no line means nothing, and would send back everything.
        let nothing = refund(json!({"lines": [], "reason": ""}));
        assert_eq!(refusal(nothing).await, field("lines"));
        let both = refund(json!({"lines": lines, "amount": eur(1), "reason": ""}));
        assert_eq!(refusal(both).await, field("amount"));
        assert_eq!(refusal(refund(json!({}))).await, field("reason"));
        let keyless = post(edge, &path).json(&json!({"reason": ""}));
        let invalid = (400, "IDEMPOTENCY_KEY_INVALID".to_owned(), None);
        assert_eq!(refusal(keyless).await, invalid);
        assert_eq!(edge.stub.times_asked(), times);
    })
    .await;
}

#[tokio::test]
async fn refunds_are_listed_tried_again_and_settled() {
    edge(async |edge| {
        let path = format!("/api/v1/admin/refunds?event_id={EVENT}&status=failed_final");
        let page = answer(get(edge, &path), 200).await;
        let listed = &page["refunds"][0];
        assert_eq!(listed["order_number"], "BX-7K3M9Q");
        assert_eq!(
            (&listed["id"], &listed["status"]),
            (&json!(REFUND), &json!("succeeded"))
        );
        asked(edge, &["status: FailedFinal", EVENT]);

        let retry = post(edge, &format!("/api/v1/admin/refunds/{REFUND}/retry"));
        assert_eq!(answer(retry, 200).await["id"], REFUND);
        asked(edge, &["RetryRefundRequest", REFUND]);
        let path = format!("/api/v1/admin/refunds/{REFUND}/settle");
        let settle = post(edge, &path).json(&json!({"note": "In cash."}));
        assert_eq!(answer(settle, 200).await["id"], REFUND);
        asked(edge, &["SettleRefundRequest", "note: \"In cash.\""]);
        let silent = post(edge, &path).json(&json!({}));
        assert_eq!(refusal(silent).await, field("note"));
    })
    .await;
}

#[tokio::test]
async fn payments_are_confirmed_rejected_verified_and_decided_about() {
    edge(async |edge| {
        let step = |step: &str| post(edge, &format!("/api/v1/admin/orders/{ORDER}/{step}"));
        let confirm = || step("confirm-payment").header("idempotency-key", KEY);
        assert_eq!(answer(confirm(), 200).await["id"], ORDER);
        asked(edge, &["ConfirmPaymentRequest", "amount: None", KEY]);
        let part = json!({"amount": eur(2000), "note": "statement 12"});
        answer(confirm().json(&part), 200).await;
        asked(edge, &["amount_minor: 2000", "note: \"statement 12\""]);
        let invalid = (400, "IDEMPOTENCY_KEY_INVALID".to_owned(), None);
        assert_eq!(refusal(step("confirm-payment")).await, invalid);

        answer(step("reject-payment"), 200).await;
        asked(edge, &["RejectPaymentRequest", "note: \"\""]);
        let why = json!({"note": "Nothing came."});
        answer(step("reject-payment").json(&why), 200).await;
        asked(edge, &["note: \"Nothing came.\""]);
        answer(step("verify-payment"), 200).await;
        asked(edge, &["VerifyPaymentRequest", ORDER]);
        assert_eq!(refusal(step("receipt")).await, invalid);
        let receipt = step("receipt").header("idempotency-key", KEY);
        let receipt = receipt.send().await.unwrap();
        assert_eq!(receipt.status(), 202);
        asked(edge, &["SendReceiptRequest", ORDER, KEY]);
        for (word, name) in [
            ("accept", "Accept"),
            ("refund", "Refund"),
            ("cancel", "Cancel"),
        ] {
            let resolve = step("resolve-mismatch").json(&json!({"decision": word, "note": "ok"}));
            answer(resolve, 200).await;
            asked(edge, &[&format!("decision: {name}"), "note: \"ok\""]);
        }
        let unknown = step("resolve-mismatch").json(&json!({"decision": "ignore"}));
        assert_eq!(refusal(unknown).await, field("decision"));
    })
    .await;
}

#[tokio::test]
async fn an_order_goes_to_another_address() {
    edge(async |edge| {
        let step = || post(edge, &format!("/api/v1/admin/orders/{ORDER}/address"));
        let change = json!({"email": "grace@example.org", "reason": "A typo."});
        let keyless = refusal(step().json(&change)).await;
        assert_eq!(keyless, (400, "IDEMPOTENCY_KEY_INVALID".to_owned(), None));
        let keyed = || step().header("idempotency-key", KEY);
        let unexplained = keyed().json(&json!({"email": "grace@example.org"}));
        assert_eq!(refusal(unexplained).await, field("reason"));
        let changed = keyed().json(&change).send().await.unwrap();
        assert_eq!(changed.status(), 202);
        // The new address, and no link.
        let body: Value = changed.json().await.unwrap();
        assert_eq!(body, json!({"email": "grace@example.org"}));
        asked(
            edge,
            &["ChangeAddressRequest", ORDER, "reason: \"A typo.\""],
        );
    })
    .await;
}

#[tokio::test]
async fn a_concert_is_cancelled_and_its_refunds_followed() {
    edge(async |edge| {
        let path = format!("/api/v1/admin/events/{EVENT}");
        let cancel = post(edge, &format!("{path}/cancel")).header("if-match", "\"3\"");
        let cancel = cancel.json(&json!({"reason": "The band is ill."}));
        let cancelled = cancel.send().await.unwrap();
        assert_eq!(
            (cancelled.status().as_u16(), header(&cancelled, "etag")),
            (200, "\"4\"".into())
        );
        let event: Value = cancelled.json().await.unwrap();
        assert_eq!(event["status"], "cancelled");
        assert_eq!(event["cancel_reason"], "The band is ill.");
        asked(
            edge,
            &["expected_version: 3", "reason: \"The band is ill.\""],
        );
        answer(post(edge, &format!("{path}/cancel")), 200).await;
        asked(edge, &["expected_version: 0", "reason: \"\""]);

        let progress = answer(get(edge, &format!("{path}/refund")), 200).await;
        let expected = json!({
            "cancelled_at": "2027-06-03T09:00:00Z", "finished_at": null, "orders_total": 3,
            "orders_done": 1, "orders_stuck": 1,
            "refunded": [eur(5000)], "outstanding": [eur(7500)],
        });
        assert_eq!(progress, expected);
        let accounts = answer(get(edge, &format!("{path}/accounts")), 200).await;
        let sales = json!({"account": "sales", "balance": eur(-5000)});
        assert_eq!(accounts["balances"][1], sales);
    })
    .await;
}

#[tokio::test]
async fn the_terms_of_a_concert_are_set_and_read() {
    edge(async |edge| {
        let mut body = json!({
            "title": "A", "location": "B", "date_time": "2027-06-12T20:00:00+02:00",
            "timezone": "Europe/Berlin", "currency": "EUR", "payment_providers": ["manual"],
            "seller": {"name": "Moonlight GmbH", "tax_id": "DE1"},
            "fee": {"mode": "added", "fixed_minor": 100, "rate_ppm": 25000},
            "manual_payment_days": 7,
        });
        let create = |body: &Value| post(edge, "/api/v1/admin/events").json(body);
        let made = answer(create(&body), 201).await;
        let fee = json!({"mode": "added", "fixed_minor": 100, "rate_ppm": 0});
        assert_eq!(made["fee"], fee);
        assert_eq!(
            (&made["seller"], &made["payment_providers"]),
            (&Value::Null, &json!([]))
        );
        asked(
            edge,
            &[
                "payment_providers: [\"manual\"]",
                "name: \"Moonlight GmbH\"",
                "mode: Added, fixed_minor: 100, rate_ppm: 25000",
                "manual_payment_days: 7",
            ],
        );
        body["fee"]["mode"] = json!("hidden");
        assert_eq!(refusal(create(&body)).await, field("fee.mode"));
        body["fee"] = json!({"mode": "added", "percent": 3});
        assert_eq!(refusal(create(&body)).await, field("fee.percent"));

        let path = format!("/api/v1/admin/events/{EVENT}");
        let change = |body: Value| {
            let patch = edge.request(Method::PATCH, &path).bearer_auth("good");
            patch.json(&body)
        };
        answer(change(json!({})), 200).await;
        asked(
            edge,
            &[
                "payment_providers: None",
                "seller: None",
                "fee: None",
                "manual_payment_days: None",
            ],
        );
        let back = json!({"payment_providers": [], "seller": {}, "manual_payment_days": 0});
        answer(change(back), 200).await;
        asked(
            edge,
            &[
                "PaymentProviders { names: [] }",
                "seller: Some(Seller",
                "manual_payment_days: Some(0)",
            ],
        );
    })
    .await;
}

#[tokio::test]
async fn an_admin_sees_the_price_they_set_beside_what_guests_pay() {
    edge(async |edge| {
        let path = format!("/api/v1/admin/events/{EVENT}/ticket-types");
        let list = answer(get(edge, &path), 200).await;
        let kind = &list["ticket_types"][0];
        assert_eq!(
            (&kind["price"], &kind["unit_price"]),
            (&eur(2400), &eur(2500))
        );
        assert_eq!(
            (&kind["fee"], &kind["tax_rate_ppm"]),
            (&eur(100), &json!(190_000))
        );
        let new = json!({"category": "A", "price": eur(2400), "tax_rate_ppm": 70000});
        answer(post(edge, &path).json(&new), 201).await;
        asked(edge, &["tax_rate_ppm: 70000"]);
        let path = format!("/api/v1/admin/ticket-types/{STANDING}");
        let change = edge.request(Method::PATCH, &path).bearer_auth("good");
        answer(change.json(&json!({"tax_rate_ppm": 0})), 200).await;
        asked(edge, &["tax_rate_ppm: Some(0)"]);
    })
    .await;
}

#[tokio::test]
async fn the_money_of_others_is_nobody_s_business() {
    edge(async |edge| {
        let unauthenticated = (401, "UNAUTHENTICATED".to_owned(), None);
        for path in [
            "/api/v1/admin/orders".to_owned(),
            "/api/v1/admin/orders.csv".to_owned(),
            format!("/api/v1/admin/orders/{ORDER}"),
            "/api/v1/admin/refunds".to_owned(),
            format!("/api/v1/admin/events/{EVENT}/refund"),
            format!("/api/v1/admin/events/{EVENT}/accounts"),
        ] {
            assert_eq!(refusal(edge.get(&path)).await, unauthenticated, "{path}");
            for token in ["forged", facts::ORDER_SECRET] {
                let foreign = edge.get(&path).bearer_auth(token);
                assert_eq!(refusal(foreign).await, unauthenticated, "{path}");
            }
        }
    })
    .await;
}
