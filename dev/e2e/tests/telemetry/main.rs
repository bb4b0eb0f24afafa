//! What an operator sees of a purchase, and that a sale does not depend on it. Telemetry is one per
//! process, so this is one story in a process of its own.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "../e2e/guest.rs"]
#[expect(dead_code, reason = "one purchase needs less than all tests together")]
mod guest;
#[path = "../e2e/harness.rs"]
#[expect(dead_code, reason = "one purchase needs less than all tests together")]
mod harness;
#[path = "../e2e/invariants.rs"]
mod invariants;
mod log_lines;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use kit::telemetry::{Settings, Telemetry};
use serde_json::{Value, json};
use testkit::{Direction, FaultProxy, OtlpReceiver, ReceivedSpan, keys::idempotency_key, on_time};

use crate::{
    guest::{CARD_OK, Guest},
    harness::{BoxOffice, OnSale, PATIENCE},
    log_lines::LogLines,
};

const GUEST_EMAIL: &str = "anezka@example.org";
/// Far below the exporter's own time-outs, which a purchase must never meet.
const PURCHASE_MAX: Duration = Duration::from_secs(8);
/// Two seconds for the last spans, and what a busy machine makes of them.
const END_MAX: Duration = Duration::from_secs(7);

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_one_trace_and_needs_no_collector() {
    let log_lines = LogLines::capture();
    let collector = OtlpReceiver::start().await;
    let wire = FaultProxy::before(collector.url()).await;
    let telemetry = kit::telemetry::init(
        "boxoffice",
        &Settings {
            metrics_addr: Some(([127, 0, 0, 1], 0).into()),
            otel_exporter_otlp_endpoint: Some(wire.url().to_owned()),
            ..Settings::default()
        },
    );
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1_000, 4500).await;

    let purchase = one_trace_from_the_click_to_the_mail(&office, &on_sale, &collector).await;
    let metrics = requests_are_counted(&office, &telemetry).await;
    let mut mail_count = 1;
    collector.freeze(true);
    a_sale_goes_on(&office, &on_sale, &mut mail_count).await;
    collector.freeze(false);
    wire.lose(Direction::Up, true);
    a_sale_goes_on(&office, &on_sale, &mut mail_count).await;

    let setup_token = office.setup_token.expose().to_owned();
    office.close().await;
    it_ends_in_time(telemetry).await;

    let spans: String = collector
        .spans()
        .into_iter()
        .map(|span| span.text)
        .collect();
    let lines = log_lines.text();
    let seen = [
        ("a span", &spans),
        ("a log line", &lines),
        ("a metric", &metrics),
    ];
    let secrets = [
        (
            "the secret of the hold",
            purchase.hold["secret"].as_str().unwrap(),
        ),
        (
            "the secret of the order",
            purchase.order["secret"].as_str().unwrap(),
        ),
        ("the setup token", &setup_token),
        ("a password", harness::ADMIN_PASSWORD),
        ("a card number", CARD_OK),
        ("the guest's address", GUEST_EMAIL),
    ];
    for (place, text) in seen {
        assert!(!text.is_empty(), "{place} is missing");
        for (what, secret) in secrets {
            assert!(!text.contains(secret), "{what} is in {place}");
        }
    }
    log_lines.every_line_of_a_call_has_its_trace();
}

struct Purchase {
    hold: Value,
    order: Value,
}

async fn one_trace_from_the_click_to_the_mail(
    office: &BoxOffice,
    on_sale: &OnSale,
    collector: &OtlpReceiver,
) -> Purchase {
    let guest = office.guest();
    let (_, hold) = guest.hold(on_sale, 1).await;
    let (order, trace_id) = place_order(office, &hold).await;
    guest.pay(&order, CARD_OK).await;
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(1, PATIENCE).await;

    let steps = [
        ("gateway", "POST /api/v1/orders"),
        (
            "payment-svc",
            "boxoffice.payment.v1.OrderService/PlaceOrder",
        ),
        (
            "ticket-svc",
            "boxoffice.ticket.v1.InventoryService/BeginPayment",
        ),
        ("payment-svc", "drive order"),
        (
            "ticket-svc",
            "boxoffice.ticket.v1.InventoryService/CommitOrder",
        ),
        ("notify-svc", "process message"),
        ("notify-svc", "send receipt"),
    ];
    let has = |spans: &[ReceivedSpan], (member, name): (&str, &str)| {
        let mut spans = spans.iter();
        spans.any(|span| span.name == name && span.attribute("boxoffice.service") == Some(member))
    };
    let spans = collector
        .wait_for(&trace_id, PATIENCE, |spans| {
            steps.iter().all(|step| has(spans, *step))
        })
        .await;
    let ids: HashSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    for span in &spans {
        let parent = span.parent_span_id.as_str();
        let is_root = parent.is_empty();
        assert!(
            is_root || ids.contains(parent),
            "{} hangs below nothing",
            span.name
        );
        assert_eq!(is_root, span.name == "POST /api/v1/orders", "{}", span.name);
    }
    let click = spans
        .iter()
        .find(|span| span.parent_span_id.is_empty())
        .unwrap();
    assert_eq!(click.attribute("http.response.status_code"), Some("201"));
    assert_eq!(click.attribute("http.route"), Some("/api/v1/orders"));
    Purchase { hold, order }
}

/// Answers the order and the trace id that the answer names.
async fn place_order(office: &BoxOffice, hold: &Value) -> (Value, String) {
    let body = json!({
        "hold_id": hold["id"],
        "hold_secret": hold["secret"],
        "email": GUEST_EMAIL,
        "phone_number": "+420 123 456 789",
        "name": "Anežka Nováková",
        "expected_total": hold["total"],
    });
    let request = office
        .client
        .post(office.url("/api/v1/orders"))
        .header("idempotency-key", idempotency_key())
        .json(&body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let trace_id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    (answer.json().await.unwrap(), trace_id)
}

async fn requests_are_counted(office: &BoxOffice, telemetry: &Telemetry) -> String {
    let addr = telemetry.metrics_addr().unwrap();
    let scrape = office
        .client
        .get(format!("http://{addr}/metrics"))
        .send()
        .await
        .unwrap();
    let text = scrape.text().await.unwrap();
    for line in [
        r#"http_server_requests_total{method="POST",route="/api/v1/orders",status="201"} 1"#,
        r#"rpc_server_requests_total{member="ticket-svc",service="boxoffice.ticket.v1.InventoryService",method="CommitOrder",code="OK"} 1"#,
        r#"rpc_server_duration_seconds_count{member="ticket-svc",service="boxoffice.ticket.v1.InventoryService",method="CommitOrder"} 1"#,
        "programme_age_seconds ",
        "availability_streams_open 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    text
}

async fn a_sale_goes_on(office: &BoxOffice, on_sale: &OnSale, mail_count: &mut usize) {
    let guest: Guest = office.guest();
    on_time("a purchase", PURCHASE_MAX, 2, async || {
        let begun = Instant::now();
        let order = guest.buy(on_sale, 1, GUEST_EMAIL).await;
        guest.wait_for(&order, "fulfilled").await;
        *mail_count += 1;
        begun.elapsed()
    })
    .await;
    office.smtp.wait_for(*mail_count, PATIENCE).await;
}

async fn it_ends_in_time(telemetry: Telemetry) {
    let end = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        drop(telemetry);
        begun.elapsed()
    });
    let end = end.await.unwrap();
    assert!(end < END_MAX, "{end:?}");
}
