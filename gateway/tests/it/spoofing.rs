//! Headers by which a client says to be somebody or something else. None of them is believed.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    facts::{EVENT, HOLD, STANDING},
    guest::new_order,
    harness::{Edge, KEY, edge, edge_with, header, problem},
};

const ELSEWHERE: &str = "198.51.100.7";

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn nobody_tells_an_address_of_their_own() {
    let one = |config: &mut gateway::Config| config.rate_limits = "read=1/1".parse().unwrap();
    edge_with(one, async |edge| {
        let ask = || edge.get("/api/v1/events");
        assert_eq!(status(ask()).await, 200);
        for (name, value) in [
            ("x-forwarded-for", ELSEWHERE),
            ("x-forwarded-for", "198.51.100.7, 127.0.0.1"),
            ("forwarded", "for=198.51.100.7"),
            ("x-real-ip", ELSEWHERE),
            ("true-client-ip", ELSEWHERE),
            ("cf-connecting-ip", ELSEWHERE),
            ("x-client-ip", ELSEWHERE),
            ("x-cluster-client-ip", ELSEWHERE),
            ("fastly-client-ip", ELSEWHERE),
            ("x-originating-ip", ELSEWHERE),
            ("x-remote-addr", ELSEWHERE),
            ("x-boxoffice-client", ELSEWHERE),
        ] {
            assert_eq!(
                status(ask().header(name, value)).await,
                429,
                "{name}: {value}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn behind_a_proxy_only_its_own_word_counts() {
    let one = |config: &mut gateway::Config| {
        config.rate_limits = "read=1/1".parse().unwrap();
        config.trusted_proxies = "127.0.0.0/8, 10.0.0.0/8".parse().unwrap();
    };
    edge_with(one, async |edge| {
        let ask = || edge.get("/api/v1/events");
        let real = "203.0.113.1";
        assert_eq!(status(ask().header("x-forwarded-for", real)).await, 200);
        // The last address that no proxy of ours has is the client's.
        for told in [
            format!("{ELSEWHERE}, {real}"),
            format!("{ELSEWHERE},{real},10.1.2.3"),
            format!("nonsense, {real}"),
            format!("{ELSEWHERE}:80, {real}"),
            format!("127.0.0.1, {real}"),
            format!("  {ELSEWHERE} ,  {real}  "),
            format!("::ffff:{ELSEWHERE}, ::ffff:{real}"),
            format!(", , {ELSEWHERE}, {real}"),
        ] {
            let asked = ask().header("x-forwarded-for", &told);
            assert_eq!(status(asked).await, 429, "{told}");
        }
        let twice = ask().header("x-forwarded-for", ELSEWHERE);
        let twice = twice.header("x-forwarded-for", real);
        assert_eq!(status(twice).await, 429, "in two lines");
        let forwarded = ask().header("x-forwarded-for", real);
        let forwarded = forwarded.header("forwarded", format!("for={ELSEWHERE}"));
        assert_eq!(status(forwarded).await, 429, "the other header");
    })
    .await;
}

#[tokio::test]
async fn no_identity_crosses_the_edge() {
    edge(async |edge| {
        let plain = edge.get("/api/v1/events").send().await.unwrap();
        assert_eq!(plain.status(), 200);
        let usual = edge.stub.last_metadata.lock().unwrap().clone();
        for (name, value) in [
            ("x-boxoffice-peer", "operator"),
            ("x-boxoffice-credential", "AAAA"),
            ("x-boxoffice-client", ELSEWHERE),
            ("x-boxoffice-admin", "root"),
            ("grpc-metadata-authorization", "Bearer good"),
            ("grpc-timeout", "1n"),
            ("x-forwarded-user", "root"),
            ("x-remote-user", "root"),
            ("x-user-id", "0190b6a2-7c1e-7000-8000-000000000009"),
            (
                "x-forwarded-client-cert",
                "By=spiffe://boxoffice/payment-svc",
            ),
            ("x-ssl-client-s-dn", "CN=payment-svc"),
            ("proxy-authorization", "Bearer good"),
            ("cookie", "access=good"),
        ] {
            let asked = edge.get("/api/v1/events").header(name, value);
            assert_eq!(status(asked).await, 200, "{name}");
            assert_eq!(*edge.stub.last_metadata.lock().unwrap(), usual, "{name}");
            let asked = edge.stub.last_asked();
            assert!(asked.contains("authorization=none"), "{name}: {asked}");
            assert!(asked.contains("client=127.0.0.1 "), "{name}: {asked}");
            assert!(!asked.contains("timeout=1n"), "{name}: {asked}");
            // What is for admins stays so.
            let admin = edge.get("/api/v1/admin/events").header(name, value);
            assert_eq!(status(admin).await, 401, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn neither_address_nor_path_nor_method_is_made_up() {
    edge(async |edge| {
        for (name, value) in [
            ("host", "evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("x-host", "evil.example"),
            ("x-forwarded-server", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "4444"),
            ("x-forwarded-prefix", "/evil"),
            ("forwarded", "host=evil.example;proto=https"),
        ] {
            let placed = edge.post("/api/v1/orders").header(name, value);
            let placed = placed.json(&new_order()).send().await.unwrap();
            assert_eq!(placed.status(), 201, "{name}");
            let cookie_or_link = placed.text().await.unwrap();
            let link = format!("{}/o/", edge.url);
            assert!(cookie_or_link.contains(&link), "{name}: {cookie_or_link}");
            let told = problem(edge.get("/api/v1/nothing").header(name, value)).await;
            let kind = told["type"].as_str().unwrap();
            assert!(kind.starts_with(&edge.url), "{name}: {kind}");
        }
        for name in ["x-original-url", "x-rewrite-url", "x-override-url"] {
            let page = edge.get("/terms").header(name, "/api/v1/admin/events");
            assert_eq!(status(page).await, 200, "{name}");
        }
        for name in [
            "x-http-method-override",
            "x-http-method",
            "x-method-override",
        ] {
            let hold = edge
                .get(&format!("/api/v1/holds/{HOLD}"))
                .header(name, "DELETE");
            assert_eq!(status(hold).await, 401, "{name}");
            let made = edge
                .request(Method::POST, "/api/v1/holds")
                .header(name, "GET");
            assert_eq!(status(made).await, 400, "{name}");
        }
        // A trace that is none is left out, and ours goes on.
        for trace in [
            "",
            "00-0-0-00",
            "nonsense",
            "00-00000000000000000000000000000000-0000000000000000-01",
        ] {
            let asked = edge.get("/api/v1/events").header("traceparent", trace);
            let answer = asked.send().await.unwrap();
            assert_eq!(header(&answer, "x-request-id").len(), 32, "{trace}");
        }
    })
    .await;
}

/// All that comes back until the connection ends, or nothing more comes.
async fn raw(edge: &Edge, bytes: &[u8]) -> String {
    let host = edge.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // A reset is an answer, too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn one_request_does_not_hide_in_another() {
    edge(async |edge| {
        let hold = json!({"event_id": EVENT, "lines": [{"ticket_type_id": STANDING, "quantity": 1}]});
        let hold = hold.to_string();
        let post = format!(
            "POST /api/v1/holds HTTP/1.1\r\nhost: x\r\nidempotency-key: {KEY}\r\n\
             content-type: application/json\r\n"
        );
        let hidden = "GET /api/v1/auth/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good\r\n\r\n";
        let length = hold.len();
        for (what, request) in [
            (
                "two lengths",
                format!("{post}content-length: {length}\r\ncontent-length: 0\r\n\r\n{hold}"),
            ),
            (
                "a list of lengths",
                format!("{post}content-length: {length}, 0\r\n\r\n{hold}"),
            ),
            ("a signed length", format!("{post}content-length: +{length}\r\n\r\n{hold}")),
            ("a negative length", format!("{post}content-length: -1\r\n\r\n{hold}")),
            (
                "an unknown coding",
                format!("{post}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
            ),
            (
                "chunked and not at the end",
                format!("{post}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
            ),
            (
                "a name with a blank",
                format!("{post}content-length : {length}\r\n\r\n{hold}"),
            ),
            (
                "a folded line",
                format!("{post}x-a: b\r\n content-length: 0\r\n\r\n{hidden}"),
            ),
            ("a line without a colon", format!("{post}nonsense\r\n\r\n{hidden}")),
            (
                "a chunk of no size",
                format!("{post}transfer-encoding: chunked\r\n\r\nx\r\n{hold}\r\n0\r\n\r\n"),
            ),
        ] {
            let answer = raw(edge, request.as_bytes()).await;
            let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400");
            assert!(refused, "{what}: {answer}");
            assert!(!answer.contains(" 200 "), "{what}: {answer}");
        }
        assert_eq!(edge.stub.times_asked(), 0);

        // With both, the length is not believed, and the connection ends (RFC 9112, 6.1).
        let both = format!(
            "{post}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{hold}\r\n0\r\n\r\n",
            length
        );
        let answer = raw(edge, both.as_bytes()).await;
        let once = answer.matches("HTTP/1.1").count();
        assert!(once <= 1, "{answer}");
        assert!(edge.stub.times_asked() <= 1);
    })
    .await;
}
