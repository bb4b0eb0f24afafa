//! Who may change something through a browser: every combination of what the browser says, and of what
//! comes along as a proof.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    facts::{HOLD, HOLD_SECRET},
    harness::{Edge, edge, edge_with, header},
};

const OTHER: &str = "https://evil.example";

async fn outcome(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    let reason = body["reason"].as_str().unwrap_or_default();
    (status, reason.to_owned())
}

/// What a browser says of where a request comes from.
struct Said {
    site: Option<&'static str>,
    origin: Option<String>,
    /// It comes from a page of ours, or from no page.
    ours: bool,
}

fn everything_said(edge: &Edge) -> Vec<Said> {
    let sites = [
        None,
        Some("same-origin"),
        Some("none"),
        Some("same-site"),
        Some("cross-site"),
        Some("nonsense"),
    ];
    let origins = [
        None,
        Some(edge.url.clone()),
        Some("null".to_owned()),
        Some(OTHER.to_owned()),
        Some(format!("{}.evil.example", edge.url)),
        Some(
            edge.url
                .replace("http:", "https:")
                .replace("127.0.0.1", "127.0.0.2"),
        ),
    ];
    let mut all = Vec::new();
    for site in sites {
        for (number, origin) in origins.iter().enumerate() {
            let ours = match site {
                Some(site) => site == "same-origin" || site == "none",
                None => number < 2,
            };
            let origin = origin.clone();
            all.push(Said { site, origin, ours });
        }
    }
    all
}

impl Said {
    fn tell(&self, mut request: RequestBuilder) -> RequestBuilder {
        if let Some(site) = self.site {
            request = request.header("sec-fetch-site", site);
        }
        if let Some(origin) = &self.origin {
            request = request.header("origin", origin);
        }
        request
    }

    fn name(&self) -> String {
        format!("site {:?}, origin {:?}", self.site, self.origin)
    }
}

/// The cookies of a session and the page's token.
pub async fn sign_in(edge: &Edge) -> (String, String) {
    let login = json!({"email": "root@example.org", "password": "correct horse"});
    let session = edge
        .request(Method::POST, "/api/v1/auth/session")
        .json(&login);
    let session = session.send().await.unwrap();
    assert_eq!(session.status(), 201);
    let cookies = session.headers().get_all("set-cookie").iter();
    let cookies: Vec<String> = cookies
        .filter_map(|cookie| cookie.to_str().unwrap().split(';').next())
        .map(str::to_owned)
        .collect();
    let body: Value = session.json().await.unwrap();
    let token = body["csrf_token"].as_str().unwrap().to_owned();
    (cookies.join("; "), token)
}

#[tokio::test]
async fn the_matrix_of_the_dashboard() {
    edge(async |edge| {
        let (cookies, token) = sign_in(edge).await;
        let wrong = token.replace(|c| c != '0', "0");
        let tokens = [Some(token.as_str()), Some(wrong.as_str()), Some(""), None];
        let mut cells = 0;
        for said in everything_said(edge) {
            for token_sent in tokens {
                for bearer in [false, true] {
                    let make = |method: Method, path: &str| {
                        let mut request = said.tell(edge.request(method, path));
                        request = request.header("cookie", &cookies);
                        if let Some(token) = token_sent {
                            request = request.header("x-csrf-token", token);
                        }
                        if bearer {
                            request = request.bearer_auth("good");
                        }
                        request
                    };
                    let what = format!("{}, token {token_sent:?}, bearer {bearer}", said.name());
                    let write = make(Method::POST, "/api/v1/admin/events");
                    // A program with a token of its own needs none of the page.
                    let may = said.ours && (bearer || token_sent == Some(token.as_str()));
                    let expected = if may {
                        // It came as far as its body, which is not there.
                        (415, "UNSUPPORTED_MEDIA_TYPE".to_owned())
                    } else {
                        (403, "CROSS_SITE_REQUEST".to_owned())
                    };
                    assert_eq!(outcome(write).await, expected, "{what}");
                    // Nothing is changed by reading, and nobody else reads the answer.
                    let read = make(Method::GET, "/api/v1/auth/me");
                    let read = read.send().await.unwrap();
                    assert_eq!(read.status(), 200, "{what}");
                    assert_eq!(header(&read, "access-control-allow-origin"), "", "{what}");
                    cells += 1;
                }
            }
        }
        assert_eq!(cells, 288);
    })
    .await;
}

#[tokio::test]
async fn the_matrix_of_guests() {
    edge(async |edge| {
        let cookie = format!("hold_{HOLD}={HOLD_SECRET}");
        for said in everything_said(edge) {
            let path = format!("/checkout/{HOLD}/release");
            let release = said.tell(edge.request(Method::POST, &path));
            let release = release.header("cookie", &cookie).send().await.unwrap();
            let expected = if said.ours { 303 } else { 403 };
            assert_eq!(release.status(), expected, "{}", said.name());
            let api = said.tell(edge.post("/api/v1/holds")).json(&json!({}));
            let expected = if said.ours { 422 } else { 403 };
            assert_eq!(outcome(api).await.0, expected, "{}", said.name());
            // What carries its own proof may come from anywhere.
            let webhook = said.tell(edge.request(Method::POST, "/api/v1/webhooks/sandbox"));
            assert_eq!(outcome(webhook.body("{}")).await.0, 200, "{}", said.name());
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_begins_goes_on_and_ends() {
    edge(async |edge| {
        let session = "/api/v1/auth/session";
        let (cookies, token) = sign_in(edge).await;
        let with = |request: RequestBuilder| request.header("cookie", &cookies);
        let me: Value = with(edge.get(session))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(me["user"]["email"], "root@example.org");
        assert_eq!(me["csrf_token"], token.as_str());
        assert!(edge.stub.last_asked().contains("authorization=Bearer good"));

        let refresh = edge.request(Method::POST, &format!("{session}/refresh"));
        let renewed = with(refresh).send().await.unwrap();
        assert_eq!(renewed.status(), 200);
        let next = renewed.headers().get_all("set-cookie").iter();
        let next: Vec<&str> = next
            .filter_map(|cookie| cookie.to_str().unwrap().split(';').next())
            .collect();
        assert!(next[1].ends_with(".last"), "{next:?}");
        let next = next.join("; ");
        assert_eq!(
            renewed.json::<Value>().await.unwrap()["csrf_token"],
            token.as_str()
        );

        // The stub's session has ended now; the browser forgets it.
        let refresh = edge.request(Method::POST, &format!("{session}/refresh"));
        let ended = refresh.header("cookie", &next).send().await.unwrap();
        assert_eq!(ended.status(), 401);
        let gone = ended.headers().get_all("set-cookie").iter();
        let gone: Vec<&str> = gone.map(|cookie| cookie.to_str().unwrap()).collect();
        assert_eq!(gone.len(), 2);
        assert!(
            gone.iter().all(|cookie| cookie.contains("Max-Age=0")),
            "{gone:?}"
        );

        let close = || with(edge.request(Method::DELETE, session));
        assert_eq!(outcome(close()).await.0, 403);
        let closed = close().header("x-csrf-token", &token).send().await.unwrap();
        assert_eq!(closed.status(), 204);
        assert_eq!(closed.headers().get_all("set-cookie").iter().count(), 2);
        assert!(edge.stub.last_asked().contains("again"));
        // Without a session there is nothing to end.
        assert_eq!(outcome(edge.request(Method::DELETE, session)).await.0, 204);
    })
    .await;
}

#[tokio::test]
async fn half_a_session_is_none() {
    edge(async |edge| {
        let (cookies, token) = sign_in(edge).await;
        let (access, session) = cookies.split_once("; ").unwrap();
        let of = |cookies: &str| {
            let request = edge.get("/api/v1/auth/me");
            let request = request.header("cookie", cookies.to_owned());
            outcome(request.header("x-csrf-token", &token))
        };
        for half in [
            access.to_owned(),
            session.to_owned(),
            format!("{access}; session=nodot"),
            format!("{access}; session="),
            format!("access=; {session}"),
            format!("access=a b; {session}"),
            format!("access={}; {session}", "x".repeat(5_000)),
        ] {
            let (status, reason) = of(&half).await;
            assert_eq!(
                (status, reason.as_str()),
                (401, "UNAUTHENTICATED"),
                "{half}"
            );
        }
        // A header that is no bearer token is not made good by a cookie.
        let basic = edge.get("/api/v1/auth/me").header("cookie", &cookies);
        let basic = basic.header("authorization", "Basic good");
        assert_eq!(outcome(basic).await.0, 401);
        assert_eq!(edge.stub.times_asked(), 1, "only the login");
    })
    .await;
}

#[tokio::test]
async fn cookies_are_for_the_browser_alone() {
    let https = |config: &mut gateway::Config| {
        config.public_url = "https://tickets.example.org".parse().unwrap();
    };
    edge_with(https, async |edge| {
        let login = json!({"email": "root@example.org", "password": "correct horse"});
        let session = edge
            .request(Method::POST, "/api/v1/auth/session")
            .json(&login);
        let session = session.send().await.unwrap();
        for cookie in session.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with("__Host-"), "{cookie}");
            for flag in ["; Path=/;", "; HttpOnly", "; SameSite=Strict", "; Secure"] {
                assert!(cookie.contains(flag), "{cookie}");
            }
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
        let body = session.text().await.unwrap();
        assert!(
            !body.contains("\"good\"") && !body.contains("again"),
            "{body}"
        );
    })
    .await;
}
