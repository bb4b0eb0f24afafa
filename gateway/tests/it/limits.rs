//! Guests who leave, who are too many; services that are away for a moment.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use kit::{Code, ErrorReason, Failure};
use serde_json::{Value, json};
use testkit::eventually;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tonic::Status;

use crate::{
    facts::EVENT,
    guest::new_order,
    harness::{Edge, KEY, edge, edge_with, refusal},
};

const PATIENCE: Duration = Duration::from_secs(60);

async fn asked(edge: &Edge, times: usize) {
    eventually("the call to reach the service", PATIENCE, async || {
        (edge.stub.times_asked() == times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_guest_who_hangs_up_in_the_middle_of_an_order_has_it_all_the_same() {
    edge(async |edge| {
        let gate = edge.stub.gate.lock().await;
        // What keeps the copy of the programme.
        let always = edge.gateway_tasks().in_flight();
        let body = new_order().to_string();
        let host = edge.url.trim_start_matches("http://");
        let mut guest = TcpStream::connect(host).await.unwrap();
        let head = format!(
            "POST /api/v1/orders HTTP/1.1\r\nhost: x\r\nidempotency-key: {KEY}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        guest
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        asked(edge, 1).await;
        drop(guest);
        // One request after the other: the edge has seen the socket close by then.
        for _ in 0..2 {
            assert_eq!(edge.get("/healthz").send().await.unwrap().status(), 200);
        }
        assert_eq!(
            edge.gateway_tasks().in_flight(),
            always + 1,
            "the order is still in work"
        );
        drop(gate);
        eventually("the order to be placed", PATIENCE, async || {
            (edge.stub.answered.load(Ordering::SeqCst) == 1).then_some(())
        })
        .await;
        assert_eq!(edge.stub.times_asked(), 1);
    })
    .await;
}

#[tokio::test]
async fn too_many_requests_at_once_are_refused_soon_and_health_answers() {
    let narrow = |config: &mut gateway::Config| config.requests_max = 1;
    edge_with(narrow, async |edge| {
        let gate = edge.stub.gate.lock().await;
        let first = tokio::spawn(edge.get("/api/v1/events").send());
        asked(edge, 1).await;
        let begun = Instant::now();
        let (status, reason, _) = refusal(edge.get("/api/v1/events")).await;
        assert_eq!((status, reason.as_str()), (503, "OVERLOADED"));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(edge.get("/healthz").send().await.unwrap().status(), 200);
        drop(gate);
        assert_eq!(first.await.unwrap().unwrap().status(), 200);
        assert_eq!(
            edge.get("/api/v1/events").send().await.unwrap().status(),
            200
        );
        assert_eq!(edge.stub.times_asked(), 2);
    })
    .await;
}

fn away() -> Status {
    Failure::unavailable("The database is away.", Duration::from_secs(1)).into()
}

#[tokio::test]
async fn what_may_be_repeated_is_tried_again_while_nothing_was_done() {
    edge(async |edge| {
        edge.stub.fail_times(2, away);
        assert_eq!(
            edge.get("/api/v1/events").send().await.unwrap().status(),
            200
        );
        assert_eq!(edge.stub.times_asked(), 3);
        // A guest's POST has a key.
        edge.stub.fail_times(1, away);
        let placed = edge
            .post("/api/v1/orders")
            .json(&new_order())
            .send()
            .await
            .unwrap();
        assert_eq!(placed.status(), 201);
        assert_eq!(edge.stub.times_asked(), 5);
        // Twice is enough.
        edge.stub.fail(away);
        let (status, reason, _) = refusal(edge.get("/api/v1/events")).await;
        assert_eq!((status, reason.as_str()), (503, "UNAVAILABLE"));
        assert_eq!(edge.stub.times_asked(), 8);
    })
    .await;
}

#[tokio::test]
async fn a_service_that_cannot_tell_is_left_alone_and_tried_by_one() {
    edge(async |edge| {
        let place = async || refusal(edge.post("/api/v1/orders").json(&new_order())).await;
        edge.stub.fail(|| Failure::outcome_unknown().into());
        let mut reasons = Vec::new();
        for _ in 0..40 {
            reasons.push(place().await.1);
        }
        assert_eq!(reasons.first().map(String::as_str), Some("OUTCOME_UNKNOWN"));
        assert_eq!(reasons.last().map(String::as_str), Some("UNAVAILABLE"));
        let asked = reasons.iter().filter(|reason| *reason == "OUTCOME_UNKNOWN");
        // As many as it takes to know, and one for each two seconds.
        let asked = asked.count();
        assert!((20..30).contains(&asked), "{asked}");
        edge.stub.work_again();
        // Who asks how it is asks in any case.
        assert_eq!(edge.get("/readyz").send().await.unwrap().status(), 200);
        eventually("orders to be taken", PATIENCE, async || {
            let placed = edge.post("/api/v1/orders").json(&new_order()).send().await;
            (placed.unwrap().status() == 201).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn what_may_have_happened_or_has_no_key_is_not_tried_again() {
    edge(async |edge| {
        let unknown = || Status::from(Failure::outcome_unknown());
        let overloaded = || {
            let (code, reason) = (Code::Unavailable, ErrorReason::Overloaded);
            Status::from(Failure::refused(code, reason, "Too much."))
        };
        for (number, failure) in [unknown, overloaded].into_iter().enumerate() {
            edge.stub.fail(failure);
            let (status, _, _) = refusal(edge.get(&format!("/api/v1/events/{EVENT}"))).await;
            assert_eq!(status, 503);
            assert_eq!(edge.stub.times_asked(), number + 1);
        }
        edge.stub.fail(away);
        let login = json!({"email": "ada@example.org", "password": "correct horse"});
        let login = edge
            .request(reqwest::Method::POST, "/api/v1/auth/login")
            .json(&login);
        let (status, _, _) = refusal(login).await;
        assert_eq!(status, 503);
        assert_eq!(edge.stub.times_asked(), 3);
    })
    .await;
}

#[tokio::test]
async fn the_end_is_told_to_whoever_asks_whether_it_is_ready() {
    let slowly = |config: &mut gateway::Config| config.readiness_off_secs = 4;
    edge_with(slowly, async |edge| {
        edge.begin_shutdown();
        let body: Value = eventually("readiness to end", PATIENCE, async || {
            let answer = edge.get("/readyz").send().await.unwrap();
            (answer.status() == 503).then_some(answer)
        })
        .await
        .json()
        .await
        .unwrap();
        let reasons = body["reasons"].as_array().unwrap();
        assert!(
            reasons.contains(&json!("gateway: shutting down")),
            "{reasons:?}"
        );
        // The rest still works: who was sent here is served.
        assert_eq!(edge.get("/healthz").send().await.unwrap().status(), 200);
    })
    .await;
}
