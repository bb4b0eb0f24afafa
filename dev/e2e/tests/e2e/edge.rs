//! Strangers at the edge of the whole mesh: tokens that are none, guests who leave in the middle of a
//! purchase, and one who wants all tickets.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use proto::Peer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{NatsServer, keys::idempotency_key};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use crate::harness::{BoxOffice, PATIENCE};

/// A route of each service that admins have.
const ROUTES: [&str; 4] = [
    "/api/v1/auth/me",
    "/api/v1/admin/events",
    "/api/v1/admin/orders",
    "/api/v1/admin/notifications",
];

struct Parts {
    header: Value,
    claims: Value,
    signature: String,
}

impl Parts {
    fn of(token: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let read = |part: &str| serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap();
        Self {
            header: read(parts[0]),
            claims: read(parts[1]),
            signature: parts[2].to_owned(),
        }
    }

    fn with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        format!("{}.{}.{}", part(header), part(claims), self.signature)
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[name] = value;
        self.with(&header, &self.claims)
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.with(&self.header, &claims)
    }
}

/// Each differs from the good one in a point.
fn bad_tokens(good: &str, others: &[String]) -> Vec<String> {
    let parts = Parts::of(good);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = head.split_once('.').unwrap();
    let mut bad = vec![
        head.to_owned(),
        format!("{head}."),
        format!("{head}.AAAA"),
        format!("{head}.{}", "A".repeat(86)),
        format!("{head}.{signature}."),
        format!("{head}.{signature}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{claims}.{header}.{signature}"),
        format!("{header}.{header}.{signature}"),
        format!("{good}="),
        format!("{}=", good),
        format!("{head}.{}", signature.chars().rev().collect::<String>()),
        format!("{head}.{}", &signature[1..]),
        format!("{head}.A{signature}"),
        good.to_lowercase(),
        good.to_uppercase(),
        good.replace('.', ""),
        good.replace('.', "-"),
        format!("{good}{good}"),
        "a.b.c".to_owned(),
        "..".to_owned(),
        "null".to_owned(),
        "A".repeat(4_000),
        BASE64.encode(good),
        parts.with_header("alg", json!("none")),
        parts.with_header("alg", json!("HS256")),
        parts.with_header("alg", json!("RS256")),
        parts.with_header("kid", json!("another")),
        parts.with_header("kid", Value::Null),
        parts.with_header("kid", json!("../../etc/passwd")),
        parts.with_header("jku", json!("https://evil.example/keys")),
        parts.with_header("jwk", json!({"kty": "OKP"})),
        parts.with_header("typ", json!("at+jwt")),
        parts.with_header("crit", json!(["exp"])),
        parts.with_claim("sub", json!("0192f000-0000-7000-8000-000000000000")),
        parts.with_claim("role", json!("owner")),
        parts.with_claim("role", json!("admin")),
        parts.with_claim("exp", json!(4_000_000_000_u64)),
        parts.with_claim("exp", Value::Null),
        parts.with_claim("iss", json!("someone")),
        parts.with_claim("aud", json!("boxoffice-guest")),
        parts.with_claim("sid", json!("0192f000-0000-7000-8000-000000000000")),
    ];
    bad.extend_from_slice(others);
    bad
}

#[tokio::test]
async fn bad_tokens_open_nothing_anywhere() {
    let office = BoxOffice::open().await;
    let good = office.admin_token().await.to_owned();
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let (_, hold) = guest.hold(&on_sale, 1).await;
    let (_, order) = guest.order(&hold, "ada@example.org").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    // What opens something else opens nothing here.
    let others = [
        text(&hold["secret"]),
        text(&order["secret"]),
        text(&order["purchase_proof"]),
        office.setup_token.expose().to_owned(),
    ];
    let bad = bad_tokens(&good, &others);
    assert!(bad.iter().collect::<BTreeSet<_>>().len() >= 40);
    let ask = async |path: &str, token: &str, by_cookie: bool| {
        let request = office.client.get(office.url(path));
        let request = if by_cookie {
            request.header("cookie", format!("access={token}; session=seed.refresh"))
        } else {
            request.bearer_auth(token)
        };
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let mut told = BTreeSet::new();
    for token in &bad {
        for path in ROUTES {
            for by_cookie in [false, true] {
                let (status, problem) = ask(path, token, by_cookie).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {token}");
                assert_eq!(problem["reason"], "UNAUTHENTICATED", "{path}: {token}");
                told.insert(text(&problem["detail"]));
            }
        }
    }
    // One answer, whatever is wrong with it; and one of the edge, where there is no token at all.
    assert!(told.len() <= 2, "{told:?}");
    for path in ROUTES {
        for by_cookie in [false, true] {
            let (status, body) = ask(path, &good, by_cookie).await;
            assert_eq!(status, StatusCode::OK, "{path}: {body}");
        }
    }
    guest.act(&order, "cancel").await;
    office.close().await;
}

#[tokio::test]
async fn guests_who_leave_in_the_middle_harm_nobody() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10_000, 4500).await;
    let host = office.http.trim_start_matches("http://").to_owned();
    let mut leaving = JoinSet::new();
    for number in 0..300_usize {
        let body = json!({
            "event_id": on_sale.event_id,
            "lines": [{"ticket_type_id": on_sale.ticket_type_id, "quantity": 1}],
        })
        .to_string();
        let request = format!(
            "POST /api/v1/holds HTTP/1.1\r\nhost: {host}\r\nidempotency-key: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            idempotency_key(),
            body.len()
        );
        let host = host.clone();
        leaving.spawn(async move {
            let mut stream = TcpStream::connect(host).await.unwrap();
            // A third leaves within the request, the others when all of it is on its way.
            let sent = match number % 3 {
                0 => number * request.len() / 300,
                _ => request.len(),
            };
            stream.write_all(&request.as_bytes()[..sent]).await.unwrap();
        });
    }
    let guest = office.guest();
    for number in 0..5 {
        let email = format!("guest{number}@example.org");
        let order = guest.buy(&on_sale, 2, &email).await;
        guest.wait_for(&order, "fulfilled").await;
    }
    while let Some(left) = leaving.join_next().await {
        left.unwrap();
    }
    office.smtp.wait_for(5, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn one_network_does_not_set_everything_aside() {
    let limits = [
        (Peer::Gateway, "rate-limits", "on".to_owned()),
        (
            Peer::Gateway,
            "held-tickets-per-network-max",
            "20".to_owned(),
        ),
    ];
    let office = BoxOffice::open_with(NatsServer::start_private().await, &limits).await;
    let on_sale = office.put_on_sale(100, 0).await;
    let guest = office.guest();
    let mut held = 0;
    for _ in 0..20 {
        let (status, answer) = guest.hold(&on_sale, 4).await;
        match status {
            StatusCode::CREATED => held += 4,
            _ => assert_eq!(answer["reason"], "TOO_MANY_REQUESTS", "{answer}"),
        }
    }
    assert_eq!(held, 20);
    // Who looks goes on looking, and who holds goes on buying.
    let path = format!("/api/v1/events/{}", on_sale.event_id);
    assert_eq!(guest.call(Method::GET, &path).await.0, StatusCode::OK);
    office.close().await;
}
