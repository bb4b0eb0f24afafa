//! Every way to be refused, and that each is told in the same form.

use kit::{Certainty, Code, ErrorReason, Failure};
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Status;

use crate::{
    facts::{EVENT, HOLD, HOLD_SECRET, ORDER, ORDER_SECRET, STANDING},
    harness::{Edge, KEY, edge, edge_with, header, problem, refusal},
};

fn is(status: u64, reason: &str) -> (u64, String, Option<String>) {
    (status, reason.to_owned(), None)
}

fn field(name: &str) -> (u64, String, Option<String>) {
    (422, "INVALID_REQUEST".to_owned(), Some(name.to_owned()))
}

fn hold(quantity: impl Into<Value>) -> Value {
    let quantity = quantity.into();
    json!({"event_id": EVENT, "lines": [{"ticket_type_id": STANDING, "quantity": quantity}]})
}

fn order(email: &str) -> Value {
    json!({"hold_id": HOLD, "hold_secret": HOLD_SECRET, "email": email, "phone_number": "123456",
           "expected_total": {"amount_minor": 5000, "currency": "EUR"}})
}

#[tokio::test]
async fn bad_bodies() {
    edge(async |edge| {
        let post = |body: &str| {
            let request = edge
                .post("/api/v1/holds")
                .header("content-type", "application/json");
            request.body(body.to_owned())
        };
        for broken in ["", "{", "nope", "{\"event_id\":", "{}{}", "\u{0}", "[1,]"] {
            assert_eq!(
                refusal(post(broken)).await,
                is(400, "MALFORMED_BODY"),
                "{broken:?}"
            );
        }
        let not_utf8 = edge
            .post("/api/v1/holds")
            .header("content-type", "application/json");
        assert_eq!(
            refusal(not_utf8.body(vec![0xff, 0xfe])).await,
            is(400, "MALFORMED_BODY")
        );
        assert_eq!(refusal(post("[]")).await, field("body"));
        assert_eq!(
            refusal(post("[\"0190b6a2-7c1e-7000-8000-000000000001\", []]")).await,
            field("body")
        );
        assert_eq!(refusal(post("{}")).await, field("event_id"));

        let plain = edge
            .post("/api/v1/holds")
            .header("content-type", "text/plain")
            .body("{}");
        assert_eq!(refusal(plain).await, is(415, "UNSUPPORTED_MEDIA_TYPE"));
        let untyped = edge.post("/api/v1/holds").body("{}");
        assert_eq!(refusal(untyped).await, is(415, "UNSUPPORTED_MEDIA_TYPE"));
        let large = post(&format!("{{\"event_id\":\"{}\"}}", "x".repeat(64 * 1024)));
        assert_eq!(refusal(large).await, is(413, "BODY_TOO_LARGE"));
        assert_eq!(edge.stub.times_asked(), 0);
    })
    .await;
}

#[tokio::test]
async fn bad_fields_are_named() {
    edge(async |edge| {
        let holds = |body: Value| refusal(edge.post("/api/v1/holds").json(&body));
        assert_eq!(holds(hold(json!("two"))).await, field("lines[0].quantity"));
        assert_eq!(holds(hold(json!(-1))).await, field("lines[0].quantity"));
        assert_eq!(holds(hold(json!(1.5))).await, field("lines[0].quantity"));
        assert_eq!(
            holds(hold(json!(9_999_999_999_u64))).await,
            field("lines[0].quantity")
        );
        assert_eq!(holds(hold(json!(1000))).await, is(409, "LIMIT_EXCEEDED"));
        // What is too long for a call of many is refused before it gets into one.
        let asked = edge.stub.times_asked();
        let line = |id: &str| json!({"ticket_type_id": id, "quantity": 1});
        let lines = vec![line(STANDING); 21];
        let many = json!({"event_id": EVENT, "lines": lines});
        assert_eq!(holds(many).await, field("lines"));
        let long = json!({"event_id": EVENT, "lines": [line(&"a".repeat(37))]});
        assert_eq!(holds(long).await, field("lines[0].ticket_type_id"));
        let long = json!({"event_id": "e".repeat(37), "lines": [line(STANDING)]});
        assert_eq!(holds(long).await, field("event_id"));
        assert_eq!(edge.stub.times_asked(), asked);
        assert_eq!(
            holds(json!({"event_id": EVENT, "lines": {}})).await,
            field("lines")
        );
        assert_eq!(
            holds(json!({"event_id": EVENT, "lines": [], "extra": 1})).await,
            field("extra")
        );
        assert_eq!(
            holds(json!({"event_id": "a\0b", "lines": []})).await,
            field("event_id")
        );

        let orders = |body: Value| refusal(edge.post("/api/v1/orders").json(&body));
        assert_eq!(orders(order("nobody")).await, field("email"));
        assert_eq!(orders(order("a\0@example.org")).await, field("email"));
        let mut priced = order("a@example.org");
        priced["expected_total"] = json!("50.00");
        assert_eq!(orders(priced.clone()).await, field("expected_total"));
        priced["expected_total"] = json!({"amount_minor": 50.5, "currency": "EUR"});
        assert_eq!(orders(priced).await, field("expected_total.amount_minor"));
    })
    .await;
}

async fn said(request: reqwest::RequestBuilder) -> String {
    let problem = problem(request).await;
    assert_eq!(problem["reason"], "INVALID_REQUEST", "{problem}");
    problem["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn bad_parameters_are_named_in_plain_words() {
    edge(async |edge| {
        for (query, expected) in [
            ("query=a%00b", "query must not contain the character U+0000"),
            ("query=%ff", "query must be UTF-8"),
            ("query=a&query=b", "query is there twice"),
            (
                "page_size=many",
                "page_size must be a whole number of 0 or more",
            ),
            (
                "page_size=-1",
                "page_size must be a whole number of 0 or more",
            ),
            (
                "page_size=",
                "page_size must be a whole number of 0 or more",
            ),
            (
                "page_size=99999999999",
                "page_size must be a whole number of 0 or more",
            ),
            (
                "from=yesterday",
                "from must be a time as in RFC 3339, such as 2027-06-12T18:00:00Z",
            ),
            ("surprise=1", "surprise is not a field of this request"),
        ] {
            let request = edge.get(&format!("/api/v1/events?{query}"));
            assert_eq!(said(request).await, expected, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn words_and_times_are_texts() {
    edge(async |edge| {
        let concert = |name: &str, value: Value| {
            let mut concert = json!({"title": "A", "location": "B", "currency": "EUR",
                "date_time": "2027-06-12T18:00:00Z", "timezone": "Europe/Berlin"});
            concert[name] = value;
            said(
                edge.post("/api/v1/admin/events")
                    .bearer_auth("good")
                    .json(&concert),
            )
        };
        let time = "date_time must be a time as in RFC 3339, such as 2027-06-12T18:00:00Z";
        assert_eq!(concert("date_time", json!("tomorrow")).await, time);
        assert_eq!(
            concert("date_time", json!([2027, 163])).await,
            "date_time must be a string"
        );
        let word = "status must be `inactive` or `active`";
        assert_eq!(concert("status", json!("cancelled")).await, word);
        assert_eq!(concert("status", json!(3)).await, "status must be a string");
        assert_eq!(
            concert("status", json!({"active": null})).await,
            "status must be a string"
        );
        assert_eq!(edge.stub.times_asked(), 0);
    })
    .await;
}

#[tokio::test]
async fn paths_that_name_nothing() {
    edge(async |edge| {
        let absent = is(404, "NOT_FOUND");
        for path in [
            "/api/v1/nothing",
            "/api/v1",
            "/nothing",
            "/api/v1/events/unknown",
            "/api/v1/events/a%00b",
            "/api/v1/events/%ff",
            "/api/v1/events/..%2f..",
            "/errors/NOTHING",
        ] {
            assert_eq!(
                refusal(edge.get(path).header("accept", "application/json"))
                    .await
                    .1,
                absent.1,
                "{path}"
            );
        }
        for id in [
            "1",
            "0190b6a27c1e700080000000000000",
            "%00",
            "{0190b6a2-7c1e-7000-8000-000000000004}",
        ] {
            for kind in ["holds", "orders"] {
                let request = edge
                    .get(&format!("/api/v1/{kind}/{id}"))
                    .bearer_auth("secret");
                assert_eq!(refusal(request).await, absent, "{kind} {id}");
            }
        }
        let provider = edge
            .request(Method::POST, "/api/v1/webhooks/No%20Name")
            .body("x");
        assert_eq!(refusal(provider).await, absent);
    })
    .await;
}

#[tokio::test]
async fn the_wrong_method_learns_the_right_one() {
    edge(async |edge| {
        let response = edge
            .request(Method::PUT, "/api/v1/holds")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(header(&response, "allow"), "POST");
        let request = edge.request(Method::DELETE, "/api/v1/events");
        assert_eq!(refusal(request).await, is(405, "METHOD_NOT_ALLOWED"));
    })
    .await;
}

#[tokio::test]
async fn every_post_of_a_guest_needs_a_key() {
    edge(async |edge| {
        let invalid = is(400, "IDEMPOTENCY_KEY_INVALID");
        let posts = [
            ("/api/v1/holds".to_owned(), hold(json!(1))),
            ("/api/v1/orders".to_owned(), order("a@example.org")),
            (format!("/api/v1/orders/{ORDER}/payments"), json!({})),
            (format!("/api/v1/orders/{ORDER}/cancel"), json!({})),
        ];
        for (path, body) in &posts {
            let post = || {
                edge.request(Method::POST, path)
                    .bearer_auth(ORDER_SECRET)
                    .json(body)
            };
            assert_eq!(refusal(post()).await, invalid, "{path}");
            for key in ["short", "0123456789 abcdef", &"k".repeat(256)] {
                assert_eq!(
                    refusal(post().header("idempotency-key", key)).await,
                    invalid,
                    "{path}"
                );
            }
        }
        let admin = edge
            .request(Method::POST, "/api/v1/admin/events")
            .bearer_auth("good");
        assert_eq!(
            refusal(admin.header("idempotency-key", "short")).await,
            invalid
        );
        assert_eq!(edge.stub.times_asked(), 0);
    })
    .await;
}

#[tokio::test]
async fn secrets_are_asked_for_and_compared_by_their_owner() {
    edge(async |edge| {
        for path in [
            format!("/api/v1/holds/{HOLD}"),
            format!("/api/v1/orders/{ORDER}"),
        ] {
            let response = edge.get(&path).send().await.unwrap();
            assert_eq!(header(&response, "www-authenticate"), "Bearer");
            assert_eq!(refusal(edge.get(&path)).await, is(401, "UNAUTHENTICATED"));
            assert_eq!(
                refusal(edge.get(&path).bearer_auth("foreign")).await,
                is(404, "NOT_FOUND")
            );
        }
    })
    .await;
}

/// A typed failure for every reason in turn.
fn failing_with<const NUMBER: i32>() -> Status {
    let reason = ErrorReason::try_from(NUMBER).unwrap();
    Failure::refused(Code::FailedPrecondition, reason, "Because.").into()
}

async fn told(edge: &Edge) -> Value {
    problem(edge.post("/api/v1/holds").json(&hold(json!(1)))).await
}

macro_rules! each_reason {
    ($edge:ident, $($number:literal => $status:literal),+ $(,)?) => {
        let mut covered = Vec::new();
        $(
            $edge.stub.fail(failing_with::<$number>);
            let reason = ErrorReason::try_from($number).unwrap();
            let problem = told($edge).await;
            assert_eq!((&problem["status"], &problem["reason"]), (&json!($status), &json!(reason.word())));
            assert_eq!(problem["detail"], "Because.");
            assert_eq!(problem["certainty"], "NOT_DONE");
            covered.push(reason);
        )+
        assert_eq!(covered, ErrorReason::all().collect::<Vec<_>>());
    };
}

#[tokio::test]
async fn every_reason_of_the_services_has_its_status() {
    edge(async |edge| {
        each_reason!(edge,
            1 => 422, 2 => 400, 3 => 415, 4 => 413, 5 => 405, 6 => 404, 7 => 400, 8 => 422, 9 => 412,
            20 => 409, 21 => 409, 22 => 409, 23 => 409, 24 => 409, 25 => 409, 26 => 409, 27 => 409,
            28 => 409, 29 => 409, 30 => 409, 31 => 409,
            40 => 409, 41 => 409, 42 => 409, 43 => 409, 44 => 422, 45 => 400,
            46 => 409, 47 => 409, 48 => 409, 49 => 409, 50 => 409, 51 => 409,
            60 => 401, 61 => 401, 62 => 403, 63 => 403, 64 => 409, 65 => 422, 66 => 409, 67 => 409,
            68 => 401, 69 => 403, 70 => 409,
            80 => 429, 81 => 503, 82 => 503, 83 => 503, 84 => 500,
        );
    })
    .await;
}

#[test]
fn every_reason_has_a_page_that_says_its_status() {
    for reason in ErrorReason::all() {
        let page =
            gateway::error_page(reason.word()).unwrap_or_else(|| panic!("{}", reason.word()));
        assert!(page.starts_with("# "), "{}", reason.word());
        let status = gateway::status_of(reason).as_u16();
        let line = format!("`{}` · HTTP {status}", reason.word());
        assert!(page.contains(&line), "{page}\nshould say: {line}");
    }
}

#[tokio::test]
async fn the_type_of_a_problem_is_a_page() {
    edge(async |edge| {
        let problem = problem(edge.get("/api/v1/nothing")).await;
        let page = edge
            .http
            .get(problem["type"].as_str().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(page.status(), 200);
        assert!(
            page.text()
                .await
                .unwrap()
                .contains("<h1>There is nothing here</h1>")
        );
    })
    .await;
}

#[tokio::test]
async fn an_untyped_failure_is_an_unknown_outcome_unless_it_was_a_read() {
    edge(async |edge| {
        edge.stub
            .fail(|| Status::deadline_exceeded("connection details"));
        let write = told(edge).await;
        assert_eq!(
            (&write["status"], &write["reason"]),
            (&json!(503), &json!("OUTCOME_UNKNOWN"))
        );
        assert_eq!(write["certainty"], "UNKNOWN");
        let read = problem(edge.get("/api/v1/events")).await;
        assert_eq!(
            (&read["reason"], &read["certainty"]),
            (&json!("UNAVAILABLE"), &json!("NOT_DONE"))
        );
        assert!(!format!("{write}{read}").contains("connection details"));
        edge.stub.work_again();
        assert_eq!(
            edge.get("/api/v1/events").send().await.unwrap().status(),
            200
        );
    })
    .await;
}

#[tokio::test]
async fn a_service_that_is_gone() {
    let nobody = |config: &mut gateway::Config| {
        config.ticket_svc_url = "http://127.0.0.1:9".to_owned();
    };
    edge_with(nobody, async |edge| {
        let write = told(edge).await;
        assert_eq!(write["status"], 503);
        let read = edge.get("/api/v1/events").send().await.unwrap();
        assert_eq!(
            (read.status().as_u16(), header(&read, "retry-after")),
            (503, "1".into())
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_service_says_about_waiting_and_fields_arrives() {
    edge(async |edge| {
        edge.stub.fail(|| {
            let mut failure = Failure::unavailable("Busy.", std::time::Duration::from_secs(7));
            failure
                .fields
                .push(kit::FieldProblem::new("lines[0].quantity", "must be small"));
            failure.certainty = Certainty::NotDone;
            failure.reason = ErrorReason::TooManyRequests;
            failure.into()
        });
        let post = || edge.post("/api/v1/holds").json(&hold(json!(1)));
        assert_eq!(header(&post().send().await.unwrap(), "retry-after"), "7");
        let told = problem(post()).await;
        let error = json!({"field": "lines[0].quantity", "detail": "must be small"});
        assert_eq!(told["errors"], json!([error]));
        assert_eq!(told["reason"], "TOO_MANY_REQUESTS");
    })
    .await;
}

#[tokio::test]
async fn a_webhook_may_be_larger_and_not_without_end() {
    edge(async |edge| {
        let post = |bytes: usize| {
            edge.request(Method::POST, "/api/v1/webhooks/sandbox")
                .body("x".repeat(bytes))
        };
        assert_eq!(post(512 * 1024).send().await.unwrap().status(), 200);
        assert_eq!(
            refusal(post(1024 * 1024 + 1)).await,
            is(413, "BODY_TOO_LARGE")
        );
        edge.stub.fail(failing_with::<45>);
        assert_eq!(refusal(post(10)).await, is(400, "SIGNATURE_INVALID"));
    })
    .await;
}

#[tokio::test]
async fn a_slow_body_ends_at_the_time_limit_and_nothing_is_done() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let short = |config: &mut gateway::Config| config.handler_timeout_secs = 1;
    edge_with(short, async |edge| {
        let host = edge.url.strip_prefix("http://").unwrap();
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        let head = format!(
            "POST /api/v1/holds HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             idempotency-key: {KEY}\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("MALFORMED_BODY"), "{answer}");
        assert!(answer.contains("NOT_DONE"), "{answer}");
        assert_eq!(edge.stub.times_asked(), 0);
    })
    .await;
}
