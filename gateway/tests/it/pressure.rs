//! Strangers who push: slow ones, deaf ones, many at once. Who has tickets in hand is served.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use testkit::eventually;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    facts::{EVENT, ORDER, ORDER_SECRET, STANDING},
    guest::new_order,
    harness::{Edge, KEY, edge, edge_with, refusal},
};

const PATIENCE: Duration = Duration::from_secs(60);

fn host(edge: &Edge) -> String {
    edge.url.strip_prefix("http://").unwrap().to_owned()
}

async fn asked(edge: &Edge, times: usize) {
    eventually("the call to reach the service", PATIENCE, async || {
        (edge.stub.times_asked() == times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_has_tickets_comes_in_where_others_wait() {
    let narrow = |config: &mut gateway::Config| {
        (config.requests_max, config.requests_reserved) = (1, 1);
        config.guesses_per_network_max = 1;
        config.trusted_proxies = "127.0.0.0/8".parse().unwrap();
    };
    edge_with(narrow, async |edge| {
        let gate = edge.stub.gate.lock().await;
        let first = tokio::spawn(edge.get("/api/v1/events").send());
        asked(edge, 1).await;
        let is = |reason: &str| (503, reason.to_owned(), None);
        assert_eq!(refusal(edge.get("/api/v1/events")).await, is("OVERLOADED"));
        let order = || edge.get(&format!("/api/v1/orders/{ORDER}"));
        // Without a proof one is everybody.
        assert_eq!(refusal(order()).await, is("OVERLOADED"));
        let cookies = order().header("cookie", format!("language=en; order_1={ORDER_SECRET}"));
        assert_eq!(refusal(cookies).await, is("OVERLOADED"));
        let mine = tokio::spawn(order().bearer_auth(ORDER_SECRET).send());
        asked(edge, 2).await;
        // That lane has an end, too.
        let one_more = order().bearer_auth(ORDER_SECRET);
        assert_eq!(refusal(one_more).await, is("OVERLOADED"));
        drop(gate);
        assert_eq!(first.await.unwrap().unwrap().status(), 200);
        assert_eq!(mine.await.unwrap().unwrap().status(), 200);

        // Who has guessed waits with everybody.
        let guesser = |request: reqwest::RequestBuilder| {
            request
                .header("x-forwarded-for", "203.0.113.66")
                .bearer_auth("guess")
        };
        assert_eq!(refusal(guesser(order())).await.0, 404);
        let gate = edge.stub.gate.lock().await;
        let before = edge.stub.times_asked();
        let first = tokio::spawn(edge.get("/api/v1/events").send());
        asked(edge, before + 1).await;
        assert_eq!(refusal(guesser(order())).await, is("OVERLOADED"));
        drop(gate);
        assert_eq!(first.await.unwrap().unwrap().status(), 200);
    })
    .await;
}

#[tokio::test]
async fn who_makes_secrets_up_does_not_keep_those_out_whose_secrets_are_right() {
    let narrow = |config: &mut gateway::Config| {
        (config.requests_max, config.requests_reserved) = (1, 2);
    };
    edge_with(narrow, async |edge| {
        let lines = json!([{"ticket_type_id": STANDING, "quantity": 2}]);
        let hold = edge.post("/api/v1/holds");
        let hold = hold.json(&json!({"event_id": EVENT, "lines": lines}));
        assert_eq!(hold.send().await.unwrap().status(), 201);

        let gate = edge.stub.gate.lock().await;
        let before = edge.stub.times_asked();
        let first = tokio::spawn(edge.get("/api/v1/events").send());
        asked(edge, before + 1).await;
        // Nobody here has heard of that secret yet: it may be made up.
        let order = || edge.get(&format!("/api/v1/orders/{ORDER}"));
        let unproven = tokio::spawn(order().bearer_auth(ORDER_SECRET).send());
        asked(edge, before + 2).await;
        let is = |reason: &str| (503, reason.to_owned(), None);
        let one_more = order().bearer_auth(ORDER_SECRET);
        assert_eq!(refusal(one_more).await, is("OVERLOADED"));
        let webhook = edge.request(Method::POST, "/api/v1/webhooks/sandbox");
        assert_eq!(refusal(webhook.body("{}")).await, is("OVERLOADED"));
        // Who has set tickets aside here buys them.
        let buys = edge.post("/api/v1/orders").json(&new_order());
        let buys = tokio::spawn(buys.send());
        asked(edge, before + 3).await;
        drop(gate);
        assert_eq!(buys.await.unwrap().unwrap().status(), 201);
        assert_eq!(unproven.await.unwrap().unwrap().status(), 200);
        assert_eq!(first.await.unwrap().unwrap().status(), 200);

        // What the service said yes to is known from then on, in both its doors.
        let gate = edge.stub.gate.lock().await;
        let before = edge.stub.times_asked();
        let first = tokio::spawn(edge.get("/api/v1/events").send());
        asked(edge, before + 1).await;
        let with_header = tokio::spawn(order().bearer_auth(ORDER_SECRET).send());
        asked(edge, before + 2).await;
        let page = edge.get(&format!("/orders/{ORDER}"));
        let page = page.header("cookie", format!("order_{ORDER}={ORDER_SECRET}"));
        let page = tokio::spawn(page.send());
        asked(edge, before + 3).await;
        drop(gate);
        for request in [first, with_header, page] {
            assert_eq!(request.await.unwrap().unwrap().status(), 200);
        }
    })
    .await;
}

/// The head of a POST, and one byte of its body.
async fn begin_a_body(edge: &Edge) -> TcpStream {
    let head = format!(
        "POST /api/v1/holds HTTP/1.1\r\nhost: x\r\nidempotency-key: {KEY}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    let mut stream = TcpStream::connect(host(edge)).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn bodies_that_do_not_come_keep_nobody_out() {
    let narrow = |config: &mut gateway::Config| {
        (config.requests_max, config.requests_reserved) = (2, 1);
    };
    edge_with(narrow, async |edge| {
        let mut slow = Vec::new();
        for _ in 0..50 {
            slow.push(begin_a_body(edge).await);
        }
        for _ in 0..20 {
            let begun = Instant::now();
            let served = edge.get("/api/v1/events").send().await.unwrap();
            assert_eq!(served.status(), 200);
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{:?}",
                begun.elapsed()
            );
        }
        drop(slow);
    })
    .await;
}

/// The beginning of a report. It may be refused.
async fn begin_a_report(edge: &Edge, bytes: usize) -> TcpStream {
    let head =
        "POST /api/v1/webhooks/sandbox HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    let mut stream = TcpStream::connect(host(edge)).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream.write_all(&vec![b' '; bytes]).await);
    stream
}

#[tokio::test]
async fn reports_that_do_not_come_keep_no_order_out() {
    edge(async |edge| {
        let mut slow = Vec::new();
        // Until not even a small one has room.
        for (reports, bytes) in [
            (80, 999_999),
            (16, 99_999),
            (16, 9_999),
            (16, 999),
            (16, 99),
        ] {
            for _ in 0..reports {
                slow.push(begin_a_report(edge, bytes).await);
            }
        }
        eventually("no more are taken", PATIENCE, async || {
            let report = edge
                .post("/api/v1/webhooks/sandbox")
                .body(vec![b' '; 900_000]);
            (report.send().await.ok()?.status() == 503).then_some(())
        })
        .await;
        let order = edge.post("/api/v1/orders").json(&new_order());
        assert_eq!(order.send().await.unwrap().status(), 201);
        drop(slow);
    })
    .await;
}

/// Reads until the end.
async fn gone(mut stream: TcpStream) {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
}

#[tokio::test]
async fn two_thousand_slow_senders_are_gone_in_six_seconds_and_harm_nobody() {
    const SLOW: usize = 2_000;
    // One guest asks here as often as hundreds do.
    let unlimited = |config: &mut gateway::Config| config.rate_limits = "off".parse().unwrap();
    edge_with(unlimited, async |edge| {
        let begun = Instant::now();
        let mut slow = JoinSet::new();
        for number in 0..SLOW {
            let host = host(edge);
            slow.spawn(async move {
                let mut stream = TcpStream::connect(host).await.unwrap();
                let opened = Instant::now();
                let start: &[u8] = match number % 3 {
                    0 => b"",
                    1 => b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ",
                    _ => b"G",
                };
                stream.write_all(start).await.unwrap();
                gone(stream).await;
                opened.elapsed()
            });
        }
        // Beside them, guests come one after the other, each on a connection of their own.
        let mut served = Vec::new();
        while begun.elapsed() < Duration::from_secs(6) {
            let asked = Instant::now();
            let answer = edge.get("/api/v1/events").send().await.unwrap();
            assert_eq!(answer.status(), 200);
            served.push(asked.elapsed());
        }
        served.sort();
        let worst = served[served.len() * 99 / 100];
        // Whoever had to wait for a place of theirs would wait for seconds.
        assert!(
            served.len() > 20 && worst < Duration::from_secs(4),
            "{} served, {worst:?}",
            served.len()
        );
        let mut longest = Duration::ZERO;
        while let Some(lasted) = slow.join_next().await {
            longest = longest.max(lasted.unwrap());
        }
        // A machine that others use as well makes a guest wait, and a timer.
        let limit = Duration::from_secs(6) + 2 * *served.last().unwrap();
        assert!(longest < limit, "{longest:?}, {limit:?}");
    })
    .await;
}

#[tokio::test]
async fn a_storm_of_guests_who_leave_harms_nobody() {
    edge(async |edge| {
        let host = Arc::new(host(edge));
        // What keeps the copy of the programme.
        let always = edge.gateway_tasks().in_flight();
        let mut leaving = JoinSet::new();
        for number in 0..500_u64 {
            let host = host.clone();
            leaving.spawn(async move {
                let mut stream = TcpStream::connect(host.as_str()).await.unwrap();
                let get = "GET /api/v1/events?query=a HTTP/1.1\r\nhost: x\r\n\r\n";
                // At another place each: in the head, or after it, before the answer.
                let sent = usize::try_from(number).unwrap() % (get.len() + 1);
                stream.write_all(&get.as_bytes()[..sent]).await.unwrap();
            });
            if number % 5 == 0 {
                let served = edge.get("/api/v1/events?query=b").send().await.unwrap();
                assert_eq!(served.status(), 200);
            }
        }
        while let Some(left) = leaving.join_next().await {
            left.unwrap();
        }
        eventually("nothing to be left of them", PATIENCE, async || {
            (edge.gateway_tasks().in_flight() <= always).then_some(())
        })
        .await;
        assert_eq!(
            edge.get("/api/v1/events").send().await.unwrap().status(),
            200
        );
    })
    .await;
}
