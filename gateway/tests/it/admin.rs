//! The calls of an admin.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    facts::{EVENT, STANDING},
    harness::{KEY, edge, header, refusal},
};

#[tokio::test]
async fn setup_login_and_me() {
    edge(async |edge| {
        let body = json!({"setup_token": "once", "email": "root@example.org", "password": "correct horse"});
        let made = edge.request(Method::POST, "/api/v1/admin/setup").json(&body).send().await.unwrap();
        assert_eq!(made.status(), 201);
        assert_eq!(made.json::<Value>().await.unwrap()["role"], "superadmin");

        let body = json!({"email": "root@example.org", "password": "correct horse"});
        let login = edge.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
        assert_eq!((login.status().as_u16(), header(&login, "cache-control")), (200, "no-store".into()));
        let session: Value = login.json().await.unwrap();
        assert_eq!(session["token_type"], "Bearer");
        assert_eq!(session["expires_in"], 600);
        assert_eq!(session["user"]["email"], "root@example.org");

        let me = edge.get("/api/v1/auth/me").bearer_auth("good").send().await.unwrap();
        assert_eq!(me.json::<Value>().await.unwrap()["email"], "root@example.org");
        assert!(edge.stub.last_asked().contains("authorization=Bearer good"));
    })
    .await;
}

#[tokio::test]
async fn the_services_decide_who_may() {
    edge(async |edge| {
        let unauthenticated = (401, "UNAUTHENTICATED".to_owned(), None);
        assert_eq!(
            refusal(edge.get("/api/v1/admin/events")).await,
            unauthenticated
        );
        let long = edge
            .get("/api/v1/admin/events")
            .bearer_auth("x".repeat(5000));
        assert_eq!(refusal(long).await, unauthenticated);
        let basic = edge
            .get("/api/v1/auth/me")
            .header("authorization", "Basic good");
        assert_eq!(refusal(basic).await, unauthenticated);
        assert_eq!(edge.stub.times_asked(), 0);
        let forged = edge.get("/api/v1/admin/events").bearer_auth("forged");
        assert_eq!(refusal(forged).await, unauthenticated);
    })
    .await;
}

#[tokio::test]
async fn concerts_are_made_and_changed() {
    edge(async |edge| {
        let body = json!({
            "title": "Moonlight Sessions", "location": "Berlin", "date_time": "2027-06-12T20:00:00+02:00",
            "timezone": "Europe/Berlin", "currency": "EUR",
        });
        let create = edge.post("/api/v1/admin/events").bearer_auth("good").json(&body);
        let made = create.send().await.unwrap();
        assert_eq!((made.status().as_u16(), header(&made, "etag")), (201, "\"1\"".into()));
        let event: Value = made.json().await.unwrap();
        assert_eq!((&event["status"], &event["version"]), (&json!("inactive"), &json!(1)));
        assert_eq!(event["price_from"], Value::Null);
        assert!(edge.stub.last_asked().contains(KEY));

        let path = format!("/api/v1/admin/events/{EVENT}");
        let patch = |tag: &str| {
            let request = edge.request(Method::PATCH, &path).bearer_auth("good").header("if-match", tag);
            request.json(&json!({"status": "active"}))
        };
        let changed = patch("\"3\"").send().await.unwrap();
        assert_eq!((changed.status().as_u16(), header(&changed, "etag")), (200, "\"4\"".into()));
        assert!(edge.stub.last_asked().contains("expected_version: 3"));
        patch("*").send().await.unwrap();
        assert!(edge.stub.last_asked().contains("expected_version: 0"));
        for tag in ["\"x\"", "\"-1\"", "W/\"3\""] {
            assert_eq!(refusal(patch(tag)).await.1, "VERSION_MISMATCH", "{tag}");
        }
        for no_tag in ["3", "", "\"", "null"] {
            let (_, reason, field) = refusal(patch(no_tag)).await;
            assert_eq!((reason.as_str(), field.as_deref()), ("INVALID_REQUEST", Some("If-Match")));
        }

        let list = edge.get("/api/v1/admin/events?page_size=1").bearer_auth("good").send().await.unwrap();
        assert_eq!(list.json::<Value>().await.unwrap()["next_page_token"], "next");
        let one = edge.get(&path).bearer_auth("good").send().await.unwrap();
        assert_eq!(header(&one, "etag"), "\"3\"");
        let one: Value = one.json().await.unwrap();
        assert_eq!(one["ticket_types"][0]["total_stock"], 100);
    })
    .await;
}

#[tokio::test]
async fn ticket_types_are_made_and_changed() {
    edge(async |edge| {
        let path = format!("/api/v1/admin/events/{EVENT}/ticket-types");
        let body = json!({"category": "Standing", "price": {"amount_minor": 2500, "currency": "EUR"},
                          "total_stock": 100, "sales_start": "2026-06-01T08:00:00Z"});
        let create = edge.request(Method::POST, &path).bearer_auth("good").json(&body);
        let made = create.send().await.unwrap();
        assert_eq!((made.status().as_u16(), header(&made, "etag")), (201, "\"5\"".into()));
        let asked = edge.stub.last_asked();
        assert!(asked.contains("total_stock: Some(100)") && asked.contains("idempotency_key: \"\""));
        let list = edge.get(&path).bearer_auth("good").send().await.unwrap();
        let list: Value = list.json().await.unwrap();
        assert_eq!(list["ticket_types"][0]["event_id"], EVENT);

        let path = format!("/api/v1/admin/ticket-types/{STANDING}");
        let change = edge.request(Method::PATCH, &path).bearer_auth("good");
        let changed = change.json(&json!({"total_stock": 120})).send().await.unwrap();
        assert_eq!(changed.status(), 200);
        let asked = edge.stub.last_asked();
        assert!(asked.contains("total_stock: Some(120)") && asked.contains("price: None"), "{asked}");
    })
    .await;
}
