//! Mails as admins see and mend them, and what the order page says of its receipt.

use proto::notify;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    desk::cancellable,
    facts::{EVENT, ORDER, ORDER_SECRET},
    harness::{Edge, KEY, edge, refusal},
};

const ID: &str = "0190b6a2-7c1e-7000-8000-0000000000e1";

pub fn failed() -> notify::Notification {
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    notify::Notification {
        id: ID.to_owned(),
        kind: "receipt".to_owned(),
        order_id: ORDER.to_owned(),
        event_id: EVENT.to_owned(),
        recipient: "guest@example.org".to_owned(),
        revision: 0,
        copy: 0,
        state: notify::NotificationState::Failed.into(),
        needs_attention: true,
        attempts: 3,
        created_at: at(1_812_345_000),
        sent_at: None,
        next_attempt_at: None,
        failure: Some(notify::NotificationFailure {
            class: notify::FailureClass::Permanent.into(),
            text: "no such mailbox".to_owned(),
            reply_code: 550,
        }),
        mail_id: format!("{ID}@example.org"),
    }
}

pub fn poison() -> notify::PoisonMessage {
    let at = Some(prost_types::Timestamp {
        seconds: 1_812_345_000,
        nanos: 0,
    });
    notify::PoisonMessage {
        id: ID.to_owned(),
        reason: "not an envelope".to_owned(),
        subject: "boxoffice.event.x".to_owned(),
        headers: String::new(),
        payload_prefix: vec![1, 2, 3],
        payload_bytes: 3,
        times: 2,
        first_received_at: at,
        last_received_at: at,
    }
}

async fn answer(request: RequestBuilder, status: u16) -> Value {
    let response = request.bearer_auth("good").send().await.unwrap();
    assert_eq!(response.status(), status);
    response.json().await.unwrap_or_default()
}

fn post(edge: &Edge, path: &str) -> RequestBuilder {
    edge.request(Method::POST, &format!("/api/v1/admin/{path}"))
}

#[tokio::test]
async fn mails_are_listed_and_shown() {
    edge(async |edge| {
        let search = format!(
            "?event_id={EVENT}&status=failed&recipient=%40example.org&needs_attention=true"
        );
        let list = answer(
            edge.get(&format!("/api/v1/admin/notifications{search}")),
            200,
        )
        .await;
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("state: Failed") && asked.contains("\"@example.org\""),
            "{asked}"
        );
        assert_eq!(list["next_page_token"], "more");
        let words = format!("/api/v1/admin/notifications/{ID}/mail");
        let words = answer(edge.get(&words), 200).await;
        assert_eq!(words["subject"], "Your tickets");
        assert_eq!(
            (&words["html"], &words["text"]),
            (&json!("<p>•••</p>"), &json!("•••"))
        );
        let one = answer(edge.get(&format!("/api/v1/admin/notifications/{ID}")), 200).await;
        assert_eq!(list["notifications"][0], one);
        assert_eq!(
            one["failure"],
            json!({"class": "permanent", "text": "no such mailbox", "reply_code": 550})
        );
        assert_eq!(
            (&one["status"], &one["sent_at"]),
            (&json!("failed"), &Value::Null)
        );

        let unknown = edge
            .get("/api/v1/admin/notifications?status=lost")
            .bearer_auth("good");
        let field = (422, "INVALID_REQUEST".to_owned(), Some("status".to_owned()));
        assert_eq!(refusal(unknown).await, field);
        let nobody = (401, "UNAUTHENTICATED".to_owned(), None);
        for path in ["notifications", "poison-messages"] {
            let path = format!("/api/v1/admin/{path}");
            assert_eq!(refusal(edge.get(&path)).await, nobody);
        }
        for path in [
            format!("notifications/{ID}/retry"),
            format!("notifications/{ID}/dismiss"),
            format!("notifications/{ID}/resend"),
            "bounces".to_owned(),
            format!("poison-messages/{ID}/dismiss"),
        ] {
            assert_eq!(refusal(post(edge, &path)).await, nobody, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn mails_are_tried_again_sent_once_more_and_put_away() {
    edge(async |edge| {
        let retried = answer(post(edge, &format!("notifications/{ID}/retry")), 200).await;
        assert_eq!(retried["id"], ID);
        let resend = format!("notifications/{ID}/resend");
        answer(post(edge, &resend).header("idempotency-key", KEY), 201).await;
        assert!(edge.stub.last_asked().contains(KEY));
        let keyless = post(edge, &resend).bearer_auth("good");
        assert_eq!(refusal(keyless).await.1, "IDEMPOTENCY_KEY_INVALID");
        let note = json!({"note": "Told by phone."});
        answer(
            post(edge, &format!("notifications/{ID}/dismiss")).json(&note),
            200,
        )
        .await;
        assert!(edge.stub.last_asked().contains("Told by phone."));

        let report = json!({"report": "From: MAILER-DAEMON@relay.example"});
        let told = answer(post(edge, "bounces").json(&report), 200).await;
        assert_eq!(told["notification"]["id"], ID);
        let seen = json!({"notification_id": ID, "explanation": "came back"});
        answer(post(edge, "bounces").json(&seen), 200).await;
        assert!(
            edge.stub
                .last_asked()
                .contains("explanation: \"came back\"")
        );

        let list = answer(edge.get("/api/v1/admin/poison-messages"), 200).await;
        assert_eq!(list["messages"][0]["times"], 2);
        let path = format!("poison-messages/{ID}/dismiss");
        answer(post(edge, &path).json(&note), 204).await;
    })
    .await;
}

#[tokio::test]
async fn a_guest_hears_how_the_receipt_fares_once_the_order_is_proved() {
    edge(async |edge| {
        let path = format!("/api/v1/orders/{ORDER}/delivery");
        let answer = async |request: RequestBuilder| -> Value {
            let response = request.bearer_auth(ORDER_SECRET).send().await.unwrap();
            assert_eq!(response.status(), 200);
            response.json().await.unwrap()
        };
        *edge.stub.delivery.lock().unwrap() = notify::DeliveryState::Delayed;
        let delivery = answer(edge.get(&path)).await;
        assert_eq!(delivery["state"], "delayed");
        let times = edge.stub.times_asked();
        assert_eq!(refusal(edge.get(&path)).await.0, 401);
        assert_eq!(edge.stub.times_asked(), times, "nobody was asked");
    })
    .await;
}

#[tokio::test]
async fn the_order_page_says_that_its_mail_did_not_come() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = cancellable();
        let page = async || {
            let cookie = format!("order_{ORDER}={ORDER_SECRET}");
            let page = edge
                .get(&format!("/orders/{ORDER}"))
                .header("cookie", cookie);
            let page = page.header("accept", "text/html").send().await.unwrap();
            assert_eq!(page.status(), 200);
            page.text().await.unwrap()
        };
        let (failed, delayed) = ("could not be delivered", "has not been taken yet");
        for (state, says) in [
            (notify::DeliveryState::Failed, Some(failed)),
            (notify::DeliveryState::Delayed, Some(delayed)),
            (notify::DeliveryState::Sent, None),
            (notify::DeliveryState::None, None),
        ] {
            *edge.stub.delivery.lock().unwrap() = state;
            let page = page().await;
            for sentence in [failed, delayed] {
                assert_eq!(page.contains(sentence), says == Some(sentence), "{state:?}");
            }
        }
    })
    .await;
}
