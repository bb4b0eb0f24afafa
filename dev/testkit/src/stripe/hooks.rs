//! Events: signed, delivered until they are taken, and what happens to them on the way.

use super::{Delivery, WEBHOOK_SECRET, lock, unix_now};
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Stripe goes on for three days.
const TRIES: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    /// `checkout.session.completed` and so on.
    pub kind: String,
    /// The bytes that are signed.
    pub body: String,
}

/// The value of `stripe-signature`. With several secrets, one of them is enough for the receiver.
pub fn signature(body: &str, secrets: &[&str], unix_secs: i64) -> String {
    let mut header = format!("t={unix_secs}");
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{unix_secs}.{body}").as_bytes());
        let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        header += &format!(",v1={hex}");
    }
    header
}

#[derive(Debug, Default)]
pub(super) struct Hooks {
    state: Arc<Mutex<State>>,
    http: reqwest::Client,
}

#[derive(Debug)]
struct State {
    url: Option<String>,
    delivery: Delivery,
    secrets: Vec<String>,
    events: Vec<Event>,
    held: Vec<Event>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            url: None,
            delivery: Delivery {
                delay: Duration::ZERO,
                copies: 1,
                hold: false,
            },
            secrets: vec![WEBHOOK_SECRET.to_owned()],
            events: Vec::new(),
            held: Vec::new(),
        }
    }
}

impl Hooks {
    pub fn deliver_to(&self, url: &str) {
        lock(&self.state).url = Some(url.to_owned());
    }

    pub fn delivery(&self, delivery: Delivery) {
        lock(&self.state).delivery = delivery;
    }

    pub fn sign_with(&self, secrets: &[&str]) {
        let secrets = secrets.iter().map(|secret| (*secret).to_owned());
        lock(&self.state).secrets = secrets.collect();
    }

    pub fn events(&self) -> Vec<Event> {
        lock(&self.state).events.clone()
    }

    /// Delivers in tasks of its own.
    pub fn send(&self, kind: &str, object: &Value) {
        let (event, delivery) = {
            let mut state = lock(&self.state);
            let event = event(state.events.len(), kind, object);
            state.events.push(event.clone());
            if state.delivery.hold {
                state.held.push(event);
                return;
            }
            (event, state.delivery)
        };
        for _ in 0..delivery.copies {
            let (state, http, event) = (self.state.clone(), self.http.clone(), event.clone());
            tokio::spawn(async move {
                tokio::time::sleep(delivery.delay).await;
                deliver(&state, &http, &event).await;
            });
        }
    }

    pub async fn release_newest_first(&self) {
        let held = std::mem::take(&mut lock(&self.state).held);
        for event in held.iter().rev() {
            deliver(&self.state, &self.http, event).await;
        }
    }
}

fn event(number: usize, kind: &str, object: &Value) -> Event {
    let id = format!("evt_{number:016}");
    let body = json!({
        "id": id,
        "object": "event",
        "api_version": "2026-02-25.clover",
        "created": unix_now(),
        "data": { "object": object },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": kind,
    });
    let body = serde_json::to_string_pretty(&body).expect("JSON is always writable");
    let kind = kind.to_owned();
    Event { id, kind, body }
}

/// Until somebody says 2xx.
async fn deliver(state: &Mutex<State>, http: &reqwest::Client, event: &Event) {
    for _ in 0..TRIES {
        let (url, secrets) = {
            let state = lock(state);
            (state.url.clone(), state.secrets.clone())
        };
        let Some(url) = url else {
            return;
        };
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let call = http
            .post(url)
            .header("content-type", "application/json; charset=utf-8")
            .header(
                "user-agent",
                "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            )
            .header(
                "stripe-signature",
                signature(&event.body, &secrets, unix_now()),
            )
            .body(event.body.clone())
            .send();
        if call.await.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}
