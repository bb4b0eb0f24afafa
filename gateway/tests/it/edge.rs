//! What happens around every request: traces, headers, health, tasks that outlive their client.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    facts::{EVENT, HOLD, ORDER, ORDER_SECRET, STANDING},
    harness::{edge, edge_with, header, logged},
};

#[tokio::test]
async fn a_trace_goes_on_and_the_deadline_shrinks() {
    edge(async |edge| {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let request = edge.get("/api/v1/events");
        let request = request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "x-request-id"), trace);
        let asked = edge.stub.last_asked();
        assert!(
            asked.contains(&format!("traceparent=00-{trace}-")),
            "{asked}"
        );
        assert!(!asked.contains("timeout=none"), "{asked}");

        let fresh = edge.get("/api/v1/events").send().await.unwrap();
        let fresh = header(&fresh, "x-request-id");
        assert!(fresh.len() == 32 && fresh != trace, "{fresh}");
    })
    .await;
}

#[tokio::test]
async fn answers_and_pages_are_guarded() {
    edge(async |edge| {
        let api = edge.get("/api/v1/events").send().await.unwrap();
        assert_eq!(header(&api, "x-content-type-options"), "nosniff");
        assert_eq!(header(&api, "referrer-policy"), "no-referrer");
        // It has a tag, so it may be kept and asked about.
        assert_eq!(header(&api, "cache-control"), "no-cache");
        let hold = edge
            .get(&format!("/api/v1/holds/{HOLD}"))
            .send()
            .await
            .unwrap();
        assert_eq!(header(&hold, "cache-control"), "no-store");
        let page = edge.get("/").send().await.unwrap();
        let policy = header(&page, "content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        for strict in [
            "script-src 'self';",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(strict), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&page, "referrer-policy"), "same-origin");
        assert_eq!(header(&page, "x-frame-options"), "DENY");
        assert_eq!(header(&page, "cross-origin-opener-policy"), "same-origin");
        assert!(header(&page, "permissions-policy").contains("geolocation=()"));
        assert_eq!(header(&page, "strict-transport-security"), "", "it is http");
        for answer in [&api, &hold] {
            let policy = header(answer, "content-security-policy");
            assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'");
            assert_eq!(
                header(answer, "cross-origin-resource-policy"),
                "same-origin"
            );
        }
        for (path, kind) in [
            ("/shop/style.css", "text/css; charset=utf-8"),
            ("/shop/shop.js", "text/javascript; charset=utf-8"),
            ("/shop/live.js", "text/javascript; charset=utf-8"),
            ("/shop/icon.svg", "image/svg+xml"),
        ] {
            let asset = edge.get(path).send().await.unwrap();
            assert_eq!(header(&asset, "content-type"), kind);
            assert_eq!(
                header(&asset, "cache-control"),
                "no-cache",
                "it names no version"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn every_answer_is_guarded_whatever_it_is() {
    let https = |config: &mut gateway::Config| {
        config.public_url = "https://tickets.example.org".parse().unwrap();
    };
    edge_with(https, async |edge| {
        for (path, accept) in [
            ("/", "text/html"),
            ("/events/moonlight-sessions", "text/html"),
            ("/terms", "text/html"),
            ("/find", "text/html"),
            ("/errors/SOLD_OUT", "text/html"),
            ("/nowhere", "text/html"),
            ("/nowhere", "*/*"),
            ("/api/v1/events", "*/*"),
            ("/api/v1/nothing", "*/*"),
            ("/api/v1/admin/events", "*/*"),
            ("/openapi.json", "*/*"),
            ("/shop/style.css", "*/*"),
            ("/healthz", "*/*"),
            ("/.well-known/jwks.json", "*/*"),
        ] {
            let answer = edge
                .get(path)
                .header("accept", accept)
                .send()
                .await
                .unwrap();
            assert_eq!(
                header(&answer, "x-content-type-options"),
                "nosniff",
                "{path}"
            );
            let policy = header(&answer, "content-security-policy");
            assert!(
                policy.starts_with("default-src 'none';"),
                "{path}: {policy}"
            );
            assert!(
                policy.contains("frame-ancestors 'none'"),
                "{path}: {policy}"
            );
            assert!(!header(&answer, "referrer-policy").is_empty(), "{path}");
            assert!(!header(&answer, "cache-control").is_empty(), "{path}");
            let https = header(&answer, "strict-transport-security");
            assert_eq!(https, "max-age=63072000", "{path}");
            assert_eq!(header(&answer, "x-request-id").len(), 32, "{path}");
            assert_eq!(header(&answer, "server"), "", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn answers_are_compressed_where_that_tells_nothing() {
    use std::io::Read as _;
    edge(async |edge| {
        let get = |path: &str| edge.get(path).header("accept-encoding", "gzip, br");
        for path in ["/openapi.json", "/shop/style.css"] {
            let plain = edge.get(path).send().await.unwrap();
            assert_eq!(header(&plain, "content-encoding"), "");
            assert_eq!(header(&plain, "vary"), "accept-encoding");
            let plain = plain.bytes().await.unwrap();
            // The second answer is the one that was kept.
            for _ in 0..2 {
                let short = get(path).send().await.unwrap();
                assert_eq!(header(&short, "content-encoding"), "gzip", "{path}");
                let short = short.bytes().await.unwrap();
                assert!(short.len() < plain.len(), "{path}");
                let mut read = Vec::new();
                let mut decoder = flate2::read::GzDecoder::new(&short[..]);
                decoder.read_to_end(&mut read).unwrap();
                assert_eq!(read, plain, "{path}");
            }
        }
        // What only this guest may see, by a cookie: its length would tell what stands in it.
        let order = get(&format!("/orders/{ORDER}"));
        let order = order.header("cookie", format!("order_{ORDER}={ORDER_SECRET}"));
        let order = order.send().await.unwrap();
        assert_eq!(order.status(), 200);
        assert_eq!(header(&order, "content-encoding"), "");
        // The same by a header is nobody else's to ask for.
        let order = get(&format!("/api/v1/orders/{ORDER}")).bearer_auth(ORDER_SECRET);
        let order = order.send().await.unwrap();
        assert_eq!(header(&order, "content-encoding"), "gzip");
        let tiny = get("/healthz").send().await.unwrap();
        assert_eq!(header(&tiny, "content-encoding"), "");
    })
    .await;
}

#[tokio::test]
async fn readiness_names_who_is_down() {
    edge(async |edge| {
        let ready = edge.get("/readyz").send().await.unwrap();
        assert_eq!(ready.status(), 200);
        assert_eq!(ready.json::<Value>().await.unwrap()["ready"], true);
    })
    .await;
    let nobody = |config: &mut gateway::Config| {
        config.payment_svc_url = "http://127.0.0.1:9".to_owned();
    };
    edge_with(nobody, async |edge| {
        assert_eq!(edge.get("/healthz").send().await.unwrap().status(), 200);
        let ready = edge.get("/readyz").send().await.unwrap();
        assert_eq!(ready.status(), 503);
        let body: Value = ready.json().await.unwrap();
        let services = json!({
            "user-svc": "up", "ticket-svc": "up", "payment-svc": "down", "notify-svc": "up",
        });
        let reasons = ["payment-svc: no answer"];
        let expected = json!({"ready": false, "services": services, "reasons": reasons});
        assert_eq!(body, expected);
    })
    .await;
}

#[tokio::test]
async fn a_guest_who_leaves_does_not_cancel_the_work() {
    edge(async |edge| {
        let gate = edge.stub.gate.lock().await;
        // What keeps the copy of the programme.
        let always = edge.gateway_tasks().in_flight();
        let body =
            json!({"event_id": EVENT, "lines": [{"ticket_type_id": STANDING, "quantity": 1}]});
        let request = edge
            .post("/api/v1/holds")
            .json(&body)
            .timeout(Duration::from_secs(60));
        let guest = tokio::spawn(request.send());
        testkit::eventually(
            "the call reaches the service",
            Duration::from_secs(60),
            async || (edge.stub.times_asked() == 1).then_some(()),
        )
        .await;
        guest.abort();
        assert!(guest.await.unwrap_err().is_cancelled());
        // Still waiting at the service although nobody waits at the edge.
        assert_eq!(edge.gateway_tasks().in_flight(), always + 1);
        drop(gate);
        testkit::eventually("the work ends", Duration::from_secs(60), async || {
            (edge.gateway_tasks().in_flight() == always).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn keys_are_published_as_a_key_set() {
    edge(async |edge| {
        let response = edge.get("/.well-known/jwks.json").send().await.unwrap();
        assert_eq!(header(&response, "cache-control"), "public, max-age=60");
        let keys: Value = response.json().await.unwrap();
        let x = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "key-1", "use": "sig", "alg": "EdDSA"});
        assert_eq!(keys, json!({"keys": [key]}));
    })
    .await;
}

#[tokio::test]
async fn a_failure_is_one_line_without_secrets() {
    let canary = "CANARY-0123456789abcdef";
    let trace = "0123456789abcdef0123456789abcdef";
    edge(async |edge| {
        let hold = json!({"event_id": EVENT, "lines": []});
        let post = |path| edge.request(reqwest::Method::POST, path);
        let traced = |request: reqwest::RequestBuilder| {
            request
                .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
                .send()
        };
        for request in [
            edge.get(&format!("/o/{ORDER}/{canary}")),
            edge.get(&format!("/h/{HOLD}/{canary}")),
            edge.get(&format!("/api/v1/orders/{ORDER}"))
                .bearer_auth(canary),
            edge.get(&format!("/checkout/{HOLD}"))
                .header("cookie", format!("hold_{HOLD}={canary}")),
            edge.get("/api/v1/admin/events").bearer_auth(canary),
        ] {
            assert!(traced(request).await.unwrap().status().is_client_error());
        }
        edge.stub.fail(|| tonic::Status::internal("broken"));
        for request in [
            edge.get(&format!("/pay/sandbox/{canary}")),
            post("/api/v1/holds")
                .header("idempotency-key", canary)
                .json(&hold),
        ] {
            assert!(traced(request).await.unwrap().status().is_server_error());
        }
    })
    .await;
    let text = logged();
    let own: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(trace) && line.contains("route="))
        .collect();
    assert_eq!(own.len(), 7, "{own:#?}");
    assert!(own[0].contains("/o/{id}/{secret}") && own[0].contains("reason=\"NOT_FOUND\""));
    assert!(!text.contains("CANARY"), "{own:#?}");
}
