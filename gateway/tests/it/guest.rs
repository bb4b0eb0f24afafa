//! The calls of a guest, as docs/api.md lists them.

use proto::{payment, ticket};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    facts::{self, EVENT, HOLD, HOLD_SECRET, ORDER, ORDER_SECRET, REFERENCE, STANDING},
    harness::{KEY, edge, edge_with, header},
};

async fn answer(request: RequestBuilder, status: u16) -> Value {
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(header(&response, "content-type"), "application/json");
    response.json().await.unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

const EVENT_FIELDS: [&str; 13] = [
    "availability",
    "cancellation",
    "date_time",
    "description",
    "id",
    "image",
    "location",
    "previous_date_time",
    "price_from",
    "slug",
    "status",
    "timezone",
    "title",
];

#[tokio::test]
async fn the_programme_is_searched() {
    edge(async |edge| {
        let path = "/api/v1/events?query=moon&location=Berlin&from=2027-01-01T00:00:00Z\
                    &to=2028-01-01T01:00:00%2B01:00&page_size=5&page_token=abc";
        let page = answer(edge.get(path), 200).await;
        assert_eq!(keys(&page), ["events", "next_page_token"]);
        let event = &page["events"][0];
        assert_eq!(keys(event), EVENT_FIELDS);
        assert_eq!(event["date_time"], "2027-06-12T18:00:00Z");
        assert_eq!(event["status"], "active");
        assert_eq!(event["availability"], "on_sale");
        assert_eq!(
            event["price_from"],
            json!({"amount_minor": 2500, "currency": "EUR"})
        );
        let asked = edge.stub.last_asked();
        for part in [
            "query: \"moon\"",
            "location: \"Berlin\"",
            "page_size: 5",
            "page_token: \"abc\"",
        ] {
            assert!(asked.contains(part), "{asked}");
        }
        // 2028-01-01T00:00:00Z, whatever the offset it was written with.
        assert!(asked.contains("seconds: 1830297600"), "{asked}");
    })
    .await;
}

#[tokio::test]
async fn an_event_has_a_tag_that_follows_its_content() {
    edge(async |edge| {
        let path = "/api/v1/events/moonlight-sessions";
        let response = edge.get(path).send().await.unwrap();
        let tag = header(&response, "etag");
        let event: Value = response.json().await.unwrap();
        assert_eq!(event["id"], EVENT);
        let kind = &event["ticket_types"][0];
        let fields = [
            "availability",
            "category",
            "fee",
            "id",
            "max_per_guest",
            "max_per_order",
            "min_per_order",
            "price",
            "remaining",
            "sales_end",
            "sales_start",
            "tax_rate_ppm",
        ];
        assert_eq!(keys(kind), fields);
        // What a guest pays, and what of it is the fee.
        let eur = |amount: i64| json!({"amount_minor": amount, "currency": "EUR"});
        assert_eq!((&kind["price"], &kind["fee"]), (&eur(2500), &eur(100)));
        assert_eq!(kind["tax_rate_ppm"], 190_000);
        assert_eq!(kind["remaining"], 7);
        assert_eq!(
            event["ticket_types"][1]["sales_start"],
            "2026-06-01T08:00:00Z"
        );

        for unchanged in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"other\", {tag}"),
            "*".into(),
        ] {
            let again = edge
                .get(path)
                .header("if-none-match", &unchanged)
                .send()
                .await
                .unwrap();
            assert_eq!(again.status(), 304, "{unchanged}");
            assert_eq!(header(&again, "etag"), tag);
            assert!(again.bytes().await.unwrap().is_empty());
        }
        // What is left changes while the event's version stays.
        edge.stub.ticket_types.lock().unwrap()[0].remaining = Some(6);
        let changed = edge
            .get(path)
            .header("if-none-match", &tag)
            .send()
            .await
            .unwrap();
        assert_eq!(changed.status(), 200);
        assert_ne!(header(&changed, "etag"), tag);
    })
    .await;
}

#[tokio::test]
async fn availability_is_tiny() {
    edge(async |edge| {
        let left = answer(
            edge.get(&format!("/api/v1/events/{EVENT}/availability")),
            200,
        )
        .await;
        assert_eq!(left["event_id"], EVENT);
        let first = json!({"id": STANDING, "remaining": 7, "availability": "on_sale"});
        assert_eq!(left["ticket_types"][0], first);
    })
    .await;
}

#[tokio::test]
async fn a_hold_is_made_read_and_given_back() {
    edge(async |edge| {
        let body =
            json!({"event_id": EVENT, "lines": [{"ticket_type_id": STANDING, "quantity": 2}]});
        let hold = answer(edge.post("/api/v1/holds").json(&body), 201).await;
        assert_eq!(
            keys(&hold),
            [
                "event_id",
                "expires_at",
                "id",
                "lines",
                "secret",
                "status",
                "total"
            ]
        );
        let line = [
            "category",
            "line_total",
            "quantity",
            "refunded_quantity",
            "tax",
            "tax_rate_ppm",
            "ticket_type_id",
            "unit_fee",
            "unit_price",
        ];
        assert_eq!(keys(&hold["lines"][0]), line);
        assert_eq!(hold["total"]["amount_minor"], 5000);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains(KEY) && asked.contains("quantity: 2"),
            "{asked}"
        );

        let path = format!("/api/v1/holds/{HOLD}");
        let read = answer(edge.get(&path).bearer_auth(HOLD_SECRET), 200).await;
        assert_eq!(read["status"], "active");
        assert_eq!(read.get("secret"), None);
        let gone = edge
            .request(Method::DELETE, &path)
            .bearer_auth(HOLD_SECRET)
            .send()
            .await
            .unwrap();
        assert_eq!(gone.status(), 204);
    })
    .await;
}

pub fn new_order() -> Value {
    json!({
        "hold_id": HOLD, "hold_secret": HOLD_SECRET, "email": "ada@example.org",
        "phone_number": "+49 30 123456", "name": "Ada",
        "expected_total": {"amount_minor": 5000, "currency": "EUR"},
    })
}

#[tokio::test]
async fn an_order_is_placed_and_read() {
    edge(async |edge| {
        let placed = answer(edge.post("/api/v1/orders").json(&new_order()), 201).await;
        for field in [
            "id",
            "number",
            "secret",
            "link",
            "status",
            "lines",
            "total_amount",
        ] {
            assert!(placed.get(field).is_some(), "{field}");
        }
        let link = format!("{}/o/{ORDER}/{ORDER_SECRET}", edge.url);
        assert_eq!(placed["link"], link.as_str());
        let payment = [
            "captured",
            "checkout_url",
            "expires_at",
            "instructions",
            "payment_ref",
            "provider",
            "status",
        ];
        assert_eq!(keys(&placed["payment"]), payment);
        assert_eq!(placed["payment"]["status"], "requires_action");
        assert_eq!(placed["payment"]["payment_ref"], REFERENCE);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("amount_minor: 5000") && asked.contains(KEY),
            "{asked}"
        );

        *edge.stub.order.lock().unwrap() = facts::fulfilled_order();
        let path = format!("/api/v1/orders/{ORDER}");
        let order = answer(edge.get(&path).bearer_auth(ORDER_SECRET), 200).await;
        assert_eq!(order["status"], "fulfilled");
        assert_eq!(
            keys(&order["tickets"][0]),
            ["category", "code", "id", "status"]
        );
        assert_eq!(keys(&order["timeline"][0]), ["at", "detail", "what"]);
        assert_eq!(order.get("secret"), None);
        let by_cookie = edge
            .get(&path)
            .header("cookie", format!("order_{ORDER}={ORDER_SECRET}"));
        assert_eq!(answer(by_cookie, 200).await["id"], ORDER);
    })
    .await;
}

#[tokio::test]
async fn what_an_event_can_be_paid_with_is_told_with_titles_while_it_is_known() {
    let path = "/api/v1/events/moonlight-sessions";
    edge(async |edge| {
        let sandbox = json!({"name": "sandbox", "title": "Card (sandbox)"});
        let manual = json!({"name": "manual", "title": "Bank transfer"});
        let event = answer(edge.get(path), 200).await;
        assert_eq!(event["payment_providers"], json!([sandbox, manual]));
        edge.stub.event.lock().unwrap().payment_providers =
            ["manual", "stripe"].map(str::to_owned).into();
        // It is remembered: only the concert is asked for.
        let asked = edge.stub.times_asked();
        let event = answer(edge.get(path), 200).await;
        assert_eq!(event["payment_providers"], json!([manual]));
        assert_eq!(edge.stub.times_asked(), asked + 1);
    })
    .await;
    let nobody = |config: &mut gateway::Config| {
        config.payment_svc_url = "http://127.0.0.1:9".to_owned();
    };
    edge_with(nobody, async |edge| {
        let event = answer(edge.get(path), 200).await;
        assert_eq!(event["payment_providers"], json!([]));
        let page = edge.page("/events/moonlight-sessions").await;
        assert!(page.contains("Take these tickets"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn an_order_tells_its_money() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = payment::Order {
            refunds: vec![facts::refund()],
            ..facts::transfer_order()
        };
        let read = edge.get(&format!("/api/v1/orders/{ORDER}"));
        let order = answer(read.bearer_auth(ORDER_SECRET), 200).await;
        let eur = |amount: i64| json!({"amount_minor": amount, "currency": "EUR"});
        assert_eq!(order["tax_total"], eur(798));
        assert_eq!(order["balance_due"], eur(3000));
        assert_eq!(order["payment"]["captured"], eur(2000));
        assert_eq!(order["payment"]["checkout_url"], Value::Null);
        let instructions = order["payment"]["instructions"].as_str().unwrap();
        assert!(
            instructions.contains("Reference: BX-7K3M9Q-4F"),
            "{instructions}"
        );
        assert_eq!(order["lines"][0]["tax"], eur(798));
        assert_eq!(order["lines"][0]["unit_fee"], eur(100));
        assert_eq!(order["seller"]["name"], "Moonlight GmbH");
        assert_eq!(order["payment_providers"], json!(["sandbox", "manual"]));
        let refund = json!({
            "id": facts::REFUND, "number": 1, "amount": eur(2500), "status": "succeeded",
            "reason": "requested", "note": "One seat could not be used.",
            "created_at": "2027-06-02T09:00:00Z", "ended_at": "2027-06-02T09:01:00Z",
            "withdrawn": false,
        });
        assert_eq!(order["refunds"], json!([refund]));
    })
    .await;
}

#[tokio::test]
async fn a_slow_provider_is_preparing() {
    edge(async |edge| {
        *edge.stub.preparing.lock().unwrap() = true;
        edge.stub.order.lock().unwrap().payment = Some(payment::PaymentAttempt {
            provider: "sandbox".to_owned(),
            status: payment::AttemptStatus::Created.into(),
            ..Default::default()
        });
        let placed = answer(edge.post("/api/v1/orders").json(&new_order()), 201).await;
        assert_eq!(placed["payment"]["status"], "preparing");
        assert_eq!(placed["payment"]["checkout_url"], Value::Null);
        assert_eq!(placed["payment"]["payment_ref"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn an_order_is_tried_again_and_cancelled() {
    edge(async |edge| {
        let pay = edge
            .post(&format!("/api/v1/orders/{ORDER}/payments"))
            .bearer_auth(ORDER_SECRET);
        assert_eq!(answer(pay, 201).await["id"], ORDER);
        let named = edge
            .post(&format!("/api/v1/orders/{ORDER}/payments"))
            .bearer_auth(ORDER_SECRET);
        answer(named.json(&json!({"provider": "sandbox"})), 201).await;
        assert!(edge.stub.last_asked().contains("provider: \"sandbox\""));
        let cancel = edge
            .post(&format!("/api/v1/orders/{ORDER}/cancel"))
            .bearer_auth(ORDER_SECRET);
        assert_eq!(answer(cancel, 200).await["status"], "cancelled");
    })
    .await;
}

#[tokio::test]
async fn a_webhook_passes_bytes_and_signatures_only() {
    edge(async |edge| {
        let request = edge
            .request(Method::POST, "/api/v1/webhooks/sandbox")
            .header("sandbox-signature", "t=1,v1=abc")
            .header("webhook-id", "evt_1")
            .header("cookie", "order_1=private")
            .header("authorization", "Bearer private")
            .body("{ \"any\":   bytes }");
        assert_eq!(answer(request, 200).await["duplicate"], false);
        let asked = edge.stub.last_asked();
        for part in [
            "sandbox-signature",
            "t=1,v1=abc",
            "webhook-id",
            "evt_1",
            "bytes }",
        ] {
            assert!(asked.contains(part), "{asked}");
        }
        assert!(!asked.contains("private"), "{asked}");
    })
    .await;
}

#[tokio::test]
async fn every_word_of_the_contracts_has_its_own_here() {
    edge(async |edge| {
        let path = format!("/api/v1/orders/{ORDER}");
        for number in 1..=11 {
            edge.stub.order.lock().unwrap().status = number;
            let word = payment::OrderStatus::try_from(number)
                .unwrap()
                .as_str_name();
            let word = word.trim_start_matches("ORDER_STATUS_").to_lowercase();
            let order = answer(edge.get(&path).bearer_auth(ORDER_SECRET), 200).await;
            assert_eq!(order["status"], word.as_str());
            let page = edge.get(&format!("/orders/{ORDER}"));
            let page = page
                .header("cookie", format!("order_{ORDER}={ORDER_SECRET}"))
                .send()
                .await;
            assert_eq!(page.unwrap().status(), 200, "{word}");
        }
        for number in 1..=6 {
            edge.stub.event.lock().unwrap().availability = number;
            let word = ticket::Availability::try_from(number)
                .unwrap()
                .as_str_name();
            let word = word.trim_start_matches("AVAILABILITY_").to_lowercase();
            let event = answer(edge.get(&format!("/api/v1/events/{EVENT}")), 200).await;
            assert_eq!(event["availability"], word.as_str());
        }
    })
    .await;
}
