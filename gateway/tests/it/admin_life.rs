//! What an admin does with a concert after it was made, and with its stock.

use kit::{Code, ErrorReason, Failure};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    facts::{self, EVENT, POOL, STANDING},
    harness::{Edge, KEY, edge, header, refusal},
};

fn event_path(action: &str) -> String {
    format!("/api/v1/admin/events/{EVENT}{action}")
}

fn call(edge: &Edge, method: Method, path: &str) -> RequestBuilder {
    edge.request(method, path).bearer_auth("good")
}

/// Status, entity tag, and the body where there is one.
async fn answer(request: RequestBuilder) -> (u16, String, Value) {
    let answer = request.send().await.unwrap();
    let told = (answer.status().as_u16(), header(&answer, "etag"));
    let body = answer.text().await.unwrap();
    (
        told.0,
        told.1,
        serde_json::from_str(&body).unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_concert_is_postponed() {
    edge(async |edge| {
        let path = event_path("/postpone");
        let post = || call(edge, Method::POST, &path);
        let body = json!({"date_time": "2027-06-19T20:00:00+02:00"});
        let request = post().header("if-match", "\"3\"").json(&body);
        let (status, tag, event) = answer(request).await;
        assert_eq!((status, tag.as_str()), (200, "\"4\""));
        assert_eq!(event["date_time"], "2027-06-19T18:00:00Z");
        assert_eq!(event["previous_date_time"], "2027-06-12T18:00:00Z");
        let asked = edge.stub.last_asked();
        assert!(asked.contains("expected_version: 3"), "{asked}");
        assert!(asked.contains("seconds: 1813428000"), "{asked}");

        let dateless = refusal(post().json(&json!({}))).await;
        assert_eq!(
            (dateless.0, dateless.2.as_deref()),
            (422, Some("date_time"))
        );
        let never = refusal(post().json(&json!({"date_time": "next week"}))).await;
        assert_eq!((never.0, never.2.as_deref()), (422, Some("date_time")));
    })
    .await;
}

#[tokio::test]
async fn guests_are_told_the_date_before() {
    edge(async |edge| {
        *edge.stub.event.lock().unwrap() = facts::postponed();
        let (_, _, event) = answer(edge.get(&format!("/api/v1/events/{EVENT}"))).await;
        assert_eq!(event["previous_date_time"], "2027-06-12T18:00:00Z");
        assert_eq!(event["ticket_types"][0]["max_per_guest"], 6);
        // What is the promoter's own business stays so.
        for secret in ["held", "sold", "blocked", "pool_ids"] {
            assert!(event["ticket_types"][0].get(secret).is_none(), "{secret}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_concert_is_archived_and_taken_back() {
    edge(async |edge| {
        let path = event_path("/archive");
        let (status, tag, event) = answer(call(edge, Method::POST, &path)).await;
        assert_eq!((status, tag.as_str()), (200, "\"4\""));
        assert_eq!(event["archived_at"], "2027-07-01T08:00:00Z");
        assert!(edge.stub.last_asked().contains("archived: true"));
        let empty = call(edge, Method::POST, &path).json(&json!({}));
        answer(empty).await;
        assert!(edge.stub.last_asked().contains("archived: true"));
        let back = call(edge, Method::POST, &path).json(&json!({"archived": false}));
        answer(back).await;
        assert!(edge.stub.last_asked().contains("archived: false"));
        let list = call(
            edge,
            Method::GET,
            "/api/v1/admin/events?archived=true&q=late%20show",
        );
        answer(list).await;
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("archived: true") && asked.contains("query: \"late show\""),
            "{asked}"
        );
        let list = call(edge, Method::GET, "/api/v1/admin/events?archived=1");
        assert_eq!(refusal(list).await.2.as_deref(), Some("archived"));

        edge.stub.fail(|| refused(ErrorReason::EventArchived));
        let cancel = call(edge, Method::POST, &event_path("/cancel"));
        let told = refusal(cancel).await;
        assert_eq!((told.0, told.1.as_str()), (409, "EVENT_ARCHIVED"));
    })
    .await;
}

#[tokio::test]
async fn a_concert_is_copied() {
    edge(async |edge| {
        let path = event_path("/clone");
        let body = json!({"date_time": "2027-07-12T18:00:00Z", "title": "Again"});
        let post = call(edge, Method::POST, &path).header("idempotency-key", KEY);
        let (status, tag, event) = answer(post.json(&body)).await;
        assert_eq!((status, tag.as_str()), (201, "\"3\""));
        assert_eq!(event["ticket_types"][0]["blocked"], 10);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains(KEY) && asked.contains("title: \"Again\""),
            "{asked}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_never_sold_is_deleted() {
    edge(async |edge| {
        for path in [
            event_path(""),
            format!("/api/v1/admin/ticket-types/{STANDING}"),
        ] {
            let delete = || call(edge, Method::DELETE, &path);
            let (status, _, body) = answer(delete().header("if-match", "\"7\"")).await;
            assert_eq!((status, body), (204, Value::Null));
            assert!(edge.stub.last_asked().contains("expected_version: 7"));
            let stale = refusal(delete().header("if-match", "\"x\"")).await;
            assert_eq!((stale.0, stale.1.as_str()), (412, "VERSION_MISMATCH"));
            edge.stub.fail(|| refused(ErrorReason::HasSales));
            let sold = refusal(delete()).await;
            assert_eq!((sold.0, sold.1.as_str()), (409, "HAS_SALES"));
            edge.stub.work_again();
            let nobody = refusal(edge.request(Method::DELETE, &path)).await;
            assert_eq!(nobody.0, 401);
        }
        let nothing = call(edge, Method::DELETE, "/api/v1/admin/events/moonlight");
        assert_eq!(refusal(nothing).await.0, 404);
    })
    .await;
}

fn refused(reason: ErrorReason) -> tonic::Status {
    Failure::refused(Code::FailedPrecondition, reason, "No.").into()
}

#[tokio::test]
async fn null_takes_a_value_away_and_what_is_left_out_stays() {
    edge(async |edge| {
        let path = format!("/api/v1/admin/ticket-types/{STANDING}");
        let patch = async |body: Value| {
            let request = call(edge, Method::PATCH, &path).json(&body);
            let (status, _, kind) = answer(request).await;
            assert_eq!(status, 200);
            (edge.stub.last_asked(), kind)
        };
        let nulls = json!({"total_stock": null, "sales_start": null, "sales_end": null,
                           "max_per_guest": null, "category": null});
        let (asked, _) = patch(nulls).await;
        assert!(
            asked.contains("clear: [Stock, SalesStart, SalesEnd, MaxPerGuest]"),
            "{asked}"
        );
        assert!(asked.contains("category: None"), "{asked}");
        let (asked, _) = patch(json!({"sales_end": "2027-03-28T03:30:00+02:00"})).await;
        assert!(
            asked.contains("clear: []") && asked.contains("sales_start: None"),
            "{asked}"
        );
        assert!(
            asked.contains("sales_end: Some(Timestamp { seconds: 1806197400"),
            "{asked}"
        );
        let change = json!({"blocked": 10, "max_per_guest": 6, "pool_ids": [POOL]});
        let (asked, kind) = patch(change).await;
        for part in [
            "blocked: Some(10)",
            "max_per_guest: Some(6)",
            "clear: []",
            POOL,
        ] {
            assert!(asked.contains(part), "{asked}");
        }
        assert_eq!((&kind["blocked"], &kind["held"]), (&json!(10), &json!(3)));
        let (asked, _) = patch(json!({})).await;
        assert!(asked.contains("pools: None"), "{asked}");

        let bad = call(edge, Method::PATCH, &path).json(&json!({"sales_end": "noon"}));
        assert_eq!(refusal(bad).await.2.as_deref(), Some("sales_end"));
        let bad = call(edge, Method::PATCH, &path).json(&json!({"total_stock": "many"}));
        assert_eq!(refusal(bad).await.2.as_deref(), Some("total_stock"));
    })
    .await;
}

#[tokio::test]
async fn pools_are_listed_made_and_changed() {
    edge(async |edge| {
        let path = event_path("/pools");
        let (status, _, list) = answer(call(edge, Method::GET, &path)).await;
        assert_eq!((status, &list["pools"][0]["remaining"]), (200, &json!(57)));
        let body = json!({"name": "The whole hall", "capacity": 150, "blocked": 10});
        let post = call(edge, Method::POST, &path).header("idempotency-key", KEY);
        let (status, tag, pool) = answer(post.json(&body)).await;
        assert_eq!((status, tag.as_str()), (201, "\"2\""));
        assert_eq!(pool["ticket_type_ids"][0], STANDING);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("capacity: Some(150)") && asked.contains(KEY),
            "{asked}"
        );

        let path = format!("/api/v1/admin/pools/{POOL}");
        let patch = |body: Value| call(edge, Method::PATCH, &path).json(&body);
        let (status, tag, _) = answer(patch(json!({"capacity": null}))).await;
        assert_eq!((status, tag.as_str()), (200, "\"2\""));
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("unlimited: true") && asked.contains("capacity: None"),
            "{asked}"
        );
        answer(patch(json!({"blocked": 3}))).await;
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains("unlimited: false") && asked.contains("blocked: Some(3)"),
            "{asked}"
        );
        let nameless = call(edge, Method::POST, &event_path("/pools")).json(&json!({}));
        assert_eq!(refusal(nameless).await.2.as_deref(), Some("name"));
    })
    .await;
}
