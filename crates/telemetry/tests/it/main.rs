//! Telemetry against collectors that are well, silent, or not there. It is one per process, so the
//! tests take turns.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::time::{Duration, Instant};

use telemetry::{Kind, Settings, Span, Telemetry, TraceId, init};
use testkit::{Direction, FaultProxy, OtlpReceiver};
use tokio::sync::{Mutex, MutexGuard};

const PATIENCE: Duration = Duration::from_secs(60);
/// Two seconds, and what a busy machine makes of them. An export that nobody cuts short takes ten.
const AN_END: Duration = Duration::from_secs(7);
/// More than the queue holds.
const A_FLOOD: usize = 20_000;
/// A span that waits for an export waits for seconds, and these are many.
const FLOOD_MAX: Duration = Duration::from_secs(20);

async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

fn start(collector: &str) -> Telemetry {
    let settings = Settings {
        otel_exporter_otlp_endpoint: Some(collector.to_owned()),
        ..Settings::default()
    };
    init("a-service", &settings)
}

fn work(parent: Option<TraceId>) -> TraceId {
    let mut span = Span::start(Kind::Server, "a-member", "work", parent);
    span.set("rpc.system", "grpc");
    span.trace().unwrap()
}

/// The flood must pass as if nobody listened, and the end must come.
async fn must_not_wait(telemetry: Telemetry) {
    let begun = Instant::now();
    for _ in 0..A_FLOOD {
        work(None);
        metrics::counter!("flood_total").increment(1);
        assert!(begun.elapsed() < FLOOD_MAX, "{:?}", begun.elapsed());
    }
    let end = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        drop(telemetry);
        begun.elapsed()
    });
    let end = end.await.unwrap();
    assert!(end < AN_END, "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_arrive_in_the_trace_of_their_parent() {
    let _turn = turn().await;
    let collector = OtlpReceiver::start().await;
    let telemetry = start(collector.url());
    let root = work(None);
    let child = work(Some(root.clone()));
    assert_eq!(child.to_string(), root.to_string());
    tokio::task::spawn_blocking(move || drop(telemetry))
        .await
        .unwrap();
    let spans = collector
        .wait_for(&root.to_string(), PATIENCE, |spans| spans.len() == 2)
        .await;
    let parent = spans
        .iter()
        .find(|span| span.parent_span_id.is_empty())
        .unwrap();
    let child = spans
        .iter()
        .find(|span| !span.parent_span_id.is_empty())
        .unwrap();
    assert_eq!(child.parent_span_id, parent.span_id);
    assert_eq!(child.service, "a-service");
    assert_eq!(child.attribute("boxoffice.service"), Some("a-member"));
    assert_eq!(child.attribute("rpc.system"), Some("grpc"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_trace_stays_here() {
    let _turn = turn().await;
    let collector = OtlpReceiver::start().await;
    let telemetry = start(collector.url());
    let root = {
        let _library = tracing::error_span!("a library", token = "hush-span").entered();
        let mut span = Span::start(Kind::Server, "a-member", "work", None);
        tracing::error!(token = "hush-event", "as libraries talk");
        span.fail("fault");
        span.trace().unwrap()
    };
    tokio::task::spawn_blocking(move || drop(telemetry))
        .await
        .unwrap();
    let of_root = collector
        .wait_for(&root.to_string(), PATIENCE, |spans| !spans.is_empty())
        .await;
    assert_eq!(of_root[0].parent_span_id, "");
    let spans = collector.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].name, "work");
    let ours = [("boxoffice.service".to_owned(), "a-member".to_owned())];
    assert_eq!(spans[0].attributes, ours, "the bridge adds nothing");
    assert!(!spans[0].text.contains("hush"), "{}", spans[0].text);
    for said in ["kind: Server", "message: \"fault\"", "code: Error"] {
        assert!(spans[0].text.contains(said), "{}", spans[0].text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsampled_trace_stays_unsampled_and_keeps_its_id() {
    let _turn = turn().await;
    let collector = OtlpReceiver::start().await;
    let telemetry = start(collector.url());
    let unsampled = TraceId::new([7; 16]);
    let trace = work(Some(unsampled.clone()));
    assert_eq!(trace.to_string(), unsampled.to_string());
    assert!(
        trace.traceparent().ends_with("-00"),
        "{}",
        trace.traceparent()
    );
    let sampled = work(None);
    assert!(
        sampled.traceparent().ends_with("-01"),
        "{}",
        sampled.traceparent()
    );
    tokio::task::spawn_blocking(move || drop(telemetry))
        .await
        .unwrap();
    collector
        .wait_for(&sampled.to_string(), PATIENCE, |spans| spans.len() == 1)
        .await;
    assert_eq!(collector.spans().len(), 1);
}

/// What a call of a trace that nobody sampled came to.
fn unsampled(id: u8, what: impl FnOnce(&mut Span)) -> TraceId {
    let mut span = Span::start(
        Kind::Server,
        "a-member",
        "work",
        Some(TraceId::new([id; 16])),
    );
    what(&mut span);
    span.trace().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_or_took_long_is_sent_without_its_trace() {
    const SLOW: Duration = Duration::from_millis(200);
    let _turn = turn().await;
    let collector = OtlpReceiver::start().await;
    let settings = Settings {
        otel_exporter_otlp_endpoint: Some(collector.url().to_owned()),
        traces_keep_slow_ms: SLOW.as_millis().try_into().unwrap(),
        ..Settings::default()
    };
    let telemetry = init("a-service", &settings);
    let fine = unsampled(1, |_| ());
    let failed = unsampled(2, |span| span.fail("INTERNAL"));
    // Sleeps: how long a span takes is what this is about.
    let slow = unsampled(3, |_| std::thread::sleep(SLOW));
    let sample = work(None);
    assert!(
        failed.traceparent().ends_with("-00"),
        "who is called next is not told to sample"
    );
    tokio::task::spawn_blocking(move || drop(telemetry))
        .await
        .unwrap();
    for (trace, kept) in [
        (&failed, Some("failed")),
        (&slow, Some("slow")),
        (&sample, None),
    ] {
        let spans = collector
            .wait_for(&trace.to_string(), PATIENCE, |spans| spans.len() == 1)
            .await;
        assert_eq!(spans[0].attribute("boxoffice.kept"), kept);
    }
    let sent = collector.spans();
    let of_fine = sent.iter().filter(|span| span.trace_id == fine.to_string());
    // A machine that stands still makes any span slow, and then it says so.
    assert_eq!(
        of_fine
            .filter(|span| span.attribute("boxoffice.kept").is_none())
            .count(),
        0
    );
    assert!(sent.len() <= 4, "{}", sent.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_swallows_everything_holds_nobody_up() {
    let _turn = turn().await;
    let collector = OtlpReceiver::start().await;
    let proxy = FaultProxy::before(collector.url()).await;
    proxy.lose(Direction::Up, true);
    must_not_wait(start(proxy.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_collector_holds_nobody_up() {
    let _turn = turn().await;
    let collector = OtlpReceiver::start().await;
    collector.freeze(true);
    must_not_wait(start(collector.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_or_nonsensical_collector_holds_nobody_up() {
    let _turn = turn().await;
    must_not_wait(start("http://127.0.0.1:1")).await;
    drop(start("not an address"));
    assert!(
        Span::start(Kind::Server, "a-member", "work", None)
            .trace()
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_text_at_one_path() {
    let _turn = turn().await;
    let settings = Settings {
        metrics_addr: Some(([127, 0, 0, 1], 0).into()),
        ..Settings::default()
    };
    let telemetry = init("a-service", &settings);
    let addr = telemetry.metrics_addr().unwrap();
    metrics::counter!("seen_total", "by" => "test").increment(3);
    metrics::histogram!("waited_seconds").record(0.3);
    let text = reqwest::get(format!("http://{addr}/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.contains("seen_total{by=\"test\"} 3"), "{text}");
    assert!(
        text.contains("waited_seconds_bucket{le=\"0.5\"} 1"),
        "{text}"
    );
    let elsewhere = reqwest::get(format!("http://{addr}/")).await.unwrap();
    assert_eq!(elsewhere.status(), 404);
    drop(telemetry);
    tokio::time::timeout(PATIENCE, async {
        while reqwest::get(format!("http://{addr}/metrics")).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_ready_once_all_its_members_are() {
    let _turn = turn().await;
    let settings = Settings {
        metrics_addr: Some(([127, 0, 0, 1], 0).into()),
        ..Settings::default()
    };
    let telemetry = init("a-service", &settings);
    let addr = telemetry.metrics_addr().unwrap();
    let status = async |path: &str| {
        let answer = reqwest::get(format!("http://{addr}{path}")).await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(status("/livez").await, 200);
    assert_eq!(status("/readyz").await, 503, "nobody serves yet");
    let first = telemetry::ready_when(|| true);
    assert_eq!(status("/readyz").await, 200);
    let second = telemetry::ready_when(|| false);
    assert_eq!(status("/readyz").await, 503, "one of two is not ready");
    assert_eq!(status("/livez").await, 200);
    drop(second);
    assert_eq!(status("/readyz").await, 200);
    drop(first);
    assert_eq!(status("/readyz").await, 503, "nobody serves any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_sent_as_well_as_served() {
    let _turn = turn().await;
    let collector = OtlpReceiver::start().await;
    let settings = Settings {
        metrics_addr: Some(([127, 0, 0, 1], 0).into()),
        otel_exporter_otlp_endpoint: Some(collector.url().to_owned()),
        ..Settings::default()
    };
    let telemetry = init("a-service", &settings);
    let addr = telemetry.metrics_addr().unwrap();
    for by in ["one", "other", "one"] {
        metrics::counter!("sent_total", "by" => by).increment(21);
    }
    metrics::histogram!("sent_seconds", "by" => "third").record(0.375);
    let text = reqwest::get(format!("http://{addr}/metrics"))
        .await
        .unwrap();
    let text = text.text().await.unwrap();
    for line in [
        "sent_total{by=\"one\"} 42",
        "sent_seconds_sum{by=\"third\"} 0.375",
    ] {
        assert!(text.contains(line), "{text}");
    }
    tokio::task::spawn_blocking(move || drop(telemetry))
        .await
        .unwrap();
    let sent = collector.metrics();
    for said in [
        "\"a-service\"",
        "name: \"sent_total\"",
        "StringValue(\"one\")",
        "AsInt(42)",
        "StringValue(\"other\")",
        "AsInt(21)",
        "name: \"sent_seconds\"",
        "StringValue(\"third\")",
        "sum: Some(0.375)",
    ] {
        assert!(sent.contains(said), "{said} in {sent}");
    }
}
