//! What a guest can do over HTTP.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use testkit::{eventually, keys::idempotency_key};

use crate::harness::{OnSale, PATIENCE};

pub const CARD_OK: &str = "4242424242424242";
pub const CARD_DECLINED: &str = "4000000000000002";

#[derive(Clone)]
pub struct Guest {
    client: Client,
    http: String,
}

/// Status and body of an answer.
pub type Answer = (StatusCode, Value);

impl Guest {
    pub fn new(client: Client, http: String) -> Self {
        Self { client, http }
    }

    pub async fn hold(&self, on_sale: &OnSale, quantity: u32) -> Answer {
        self.hold_with(on_sale, quantity, &idempotency_key()).await
    }

    pub async fn hold_with(&self, on_sale: &OnSale, quantity: u32, key: &str) -> Answer {
        let body = json!({
            "event_id": on_sale.event_id,
            "lines": [{"ticket_type_id": on_sale.ticket_type_id, "quantity": quantity}],
        });
        self.post("/api/v1/holds", key, &body).await
    }

    pub async fn order(&self, hold: &Value, email: &str) -> Answer {
        self.order_with(hold, email, &idempotency_key()).await
    }

    pub async fn order_with(&self, hold: &Value, email: &str, key: &str) -> Answer {
        let body = json!({
            "hold_id": hold["id"],
            "hold_secret": hold["secret"],
            "email": email,
            "phone_number": "+420 123 456 789",
            "name": "Anežka Nováková",
            "expected_total": hold["total"],
        });
        self.post("/api/v1/orders", key, &body).await
    }

    /// Holds, orders, and pays with a card that works. Answers the order as it was placed.
    pub async fn buy(&self, on_sale: &OnSale, quantity: u32, email: &str) -> Value {
        let (status, hold) = self.hold(on_sale, quantity).await;
        assert_eq!(status, StatusCode::CREATED, "{hold}");
        let (status, order) = self.order(&hold, email).await;
        assert_eq!(status, StatusCode::CREATED, "{order}");
        self.pay(&order, CARD_OK).await;
        order
    }

    /// Sends the card form of the hosted page.
    pub async fn pay(&self, order: &Value, card: &str) {
        let page = self.checkout_url(order).await;
        assert_eq!(self.submit_card(&page, card).await, StatusCode::SEE_OTHER);
    }

    pub async fn submit_card(&self, page: &str, card: &str) -> StatusCode {
        let form = [("card_number", card), ("exp", "12/39"), ("cvc", "123")];
        let answered = eventually("an answer that is not busy", PATIENCE, async || {
            let sent = self.client.post(page).form(&form).send().await;
            let status = sent.unwrap().status();
            (status != StatusCode::SERVICE_UNAVAILABLE).then_some(status)
        });
        Box::pin(answered).await
    }

    /// The order once it has this status.
    pub async fn wait_for(&self, order: &Value, status: &str) -> Value {
        let what = format!("the order to be {status}");
        eventually(&what, PATIENCE, async || {
            let (_, now) = self.see(order).await;
            (now["status"] == status).then_some(now)
        })
        .await
    }

    pub async fn see(&self, order: &Value) -> Answer {
        let path = format!("/api/v1/orders/{}", order["id"].as_str().unwrap());
        let request = self
            .client
            .get(self.url(&path))
            .bearer_auth(order["secret"].as_str().unwrap());
        answer(request).await
    }

    /// A POST on the order itself, for example `cancel`.
    pub async fn act(&self, order: &Value, verb: &str) -> Answer {
        self.act_with(order, verb, &idempotency_key(), &json!({}))
            .await
    }

    pub async fn act_with(&self, order: &Value, verb: &str, key: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/orders/{}/{verb}", order["id"].as_str().unwrap());
        let request = self
            .client
            .post(self.url(&path))
            .bearer_auth(order["secret"].as_str().unwrap())
            .header("idempotency-key", key)
            .json(body);
        answer(request).await
    }

    pub async fn document(&self, order: &Value, name: &str) -> (StatusCode, Vec<u8>) {
        let path = format!("/api/v1/orders/{}/{name}", order["id"].as_str().unwrap());
        let request = self
            .client
            .get(self.url(&path))
            .bearer_auth(order["secret"].as_str().unwrap());
        let answer = request.send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap().to_vec())
    }

    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = self
            .client
            .post(self.url(path))
            .header("idempotency-key", key)
            .json(body);
        answer(request).await
    }

    pub async fn call(&self, method: Method, path: &str) -> Answer {
        answer(self.client.request(method, self.url(path))).await
    }

    /// A body as it is, for what JSON would not let through.
    pub async fn post_raw(&self, path: &str, media_type: &str, body: &str) -> Answer {
        let request = self
            .client
            .post(self.url(path))
            .header("idempotency-key", idempotency_key())
            .header("content-type", media_type)
            .body(body.to_owned());
        answer(request).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.http)
    }

    /// The provider may take a moment.
    pub async fn checkout_url(&self, order: &Value) -> String {
        eventually("a page to pay on", PATIENCE, async || {
            let (_, now) = self.see(order).await;
            now["payment"]["checkout_url"]
                .as_str()
                .map(ToOwned::to_owned)
        })
        .await
    }
}

/// What a request is answered. Where there was no room for it just now, and nothing was done, it is made again, as the
/// answer asks for.
pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let answered = eventually("an answer that is not busy", PATIENCE, async || {
        let again = request.try_clone().expect("a body in memory");
        let answer = again.send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let is_busy = status == StatusCode::SERVICE_UNAVAILABLE && body["reason"] == "OVERLOADED";
        (!is_busy).then_some((status, body))
    });
    Box::pin(answered).await
}
