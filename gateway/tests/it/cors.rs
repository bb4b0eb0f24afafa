//! Other sites: those of the list may call the API without cookies, and nobody else reads an answer.

use reqwest::{Method, Response};
use serde_json::json;

use crate::{
    facts::{EVENT, HOLD, HOLD_SECRET},
    harness::{Edge, edge, edge_with, header},
};

const FRIEND: &str = "https://friend.example";

fn with_a_friend(config: &mut gateway::Config) {
    config.cors_origins = format!("{FRIEND}, http://localhost:5173").parse().unwrap();
}

fn vary(response: &Response) -> String {
    let all = response.headers().get_all("vary").iter();
    let all: Vec<&str> = all.map(|value| value.to_str().unwrap()).collect();
    all.join(",")
}

async fn preflight(edge: &Edge, path: &str, origin: &str) -> Response {
    edge.request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "idempotency-key,content-type",
        )
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_site_of_the_list_may_call() {
    edge_with(with_a_friend, async |edge| {
        let asked = preflight(edge, "/api/v1/holds", FRIEND).await;
        assert_eq!(asked.status(), 204);
        assert_eq!(header(&asked, "access-control-allow-origin"), FRIEND);
        let headers = header(&asked, "access-control-allow-headers");
        assert!(headers.contains("idempotency-key"), "{headers}");
        assert_eq!(header(&asked, "access-control-allow-credentials"), "");

        for path in [
            "/api/v1/events".to_owned(),
            format!("/api/v1/events/{EVENT}"),
            "/openapi.json".to_owned(),
            "/api/v1/nothing".to_owned(),
        ] {
            let told = edge
                .get(&path)
                .header("origin", FRIEND)
                .send()
                .await
                .unwrap();
            assert_eq!(
                header(&told, "access-control-allow-origin"),
                FRIEND,
                "{path}"
            );
            assert!(vary(&told).contains("origin"), "{path}");
        }
        // Also what changes something: its script brings the proof itself.
        let released = edge
            .request(Method::DELETE, &format!("/api/v1/holds/{HOLD}"))
            .header("origin", FRIEND)
            .header("sec-fetch-site", "cross-site")
            .bearer_auth(HOLD_SECRET)
            .send()
            .await
            .unwrap();
        assert_eq!(released.status(), 204);
        // Pages are not for scripts of others.
        let page = edge.get("/").header("origin", FRIEND).send().await.unwrap();
        assert_eq!(header(&page, "access-control-allow-origin"), "");
    })
    .await;
}

#[tokio::test]
async fn nobody_else_reads_an_answer() {
    edge_with(with_a_friend, async |edge| {
        for origin in [
            "https://evil.example",
            "null",
            "https://friend.example.evil.example",
            "http://friend.example",
            "https://friend.example:8443",
            "HTTPS://friend.example",
        ] {
            let asked = preflight(edge, "/api/v1/holds", origin).await;
            assert_eq!(asked.status(), 405, "{origin}");
            assert_eq!(
                header(&asked, "access-control-allow-origin"),
                "",
                "{origin}"
            );
            let told = edge.get("/api/v1/events").header("origin", origin);
            let told = told.send().await.unwrap();
            assert_eq!(told.status(), 200);
            assert_eq!(header(&told, "access-control-allow-origin"), "", "{origin}");
            // A cache in between must not mix it up with the friend's.
            assert!(vary(&told).contains("origin"), "{origin}");
            let change = edge.post("/api/v1/holds").header("origin", origin);
            let change = change.json(&json!({})).send().await.unwrap();
            assert_eq!(change.status(), 403, "{origin}");
        }
    })
    .await;
    edge(async |edge| {
        let asked = preflight(edge, "/api/v1/holds", FRIEND).await;
        assert_eq!(header(&asked, "access-control-allow-origin"), "");
        let told = edge.get("/api/v1/events").header("origin", FRIEND);
        let told = told.send().await.unwrap();
        assert_eq!(header(&told, "access-control-allow-origin"), "");
        assert!(!vary(&told).contains("origin"));
    })
    .await;
}

#[tokio::test]
async fn a_friend_s_script_cannot_use_a_cookie() {
    edge_with(with_a_friend, async |edge| {
        // A site under the same name would have the browser send them.
        let hold = || {
            let hold = edge.get(&format!("/api/v1/holds/{HOLD}"));
            hold.header("cookie", format!("hold_{HOLD}={HOLD_SECRET}"))
        };
        assert_eq!(hold().send().await.unwrap().status(), 200);
        let friend = hold().header("origin", FRIEND).send().await.unwrap();
        assert_eq!(friend.status(), 401);
        let (cookies, _) = crate::cross_site::sign_in(edge).await;
        let change = edge
            .request(Method::POST, "/api/v1/admin/events")
            .header("cookie", cookies)
            .header("origin", FRIEND)
            .header("sec-fetch-site", "cross-site");
        assert_eq!(change.send().await.unwrap().status(), 401);
        // The shop's forms are not for other sites, whose browser would send the cookies along.
        let form = edge
            .request(Method::POST, &format!("/checkout/{HOLD}/release"))
            .header("cookie", format!("hold_{HOLD}={HOLD_SECRET}"))
            .header("origin", FRIEND)
            .header("sec-fetch-site", "same-site");
        assert_eq!(form.send().await.unwrap().status(), 403);
    })
    .await;
}
