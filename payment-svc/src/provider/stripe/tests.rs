//! The adapter alone, against a server that keeps Stripe's promises. Purchases as a whole are in
//! `tests/it/stripe*.rs`.

use std::time::Duration;

use base::{Money, OrderId, RefundId, Secret, Sources};
use testkit::StripeServer;
use testkit::stripe::{Fault, RefundFate, SECRET_KEY};

use super::{checkout, client::Client, refunds};
use crate::{
    config::StripeSettings,
    provider::{
        Checkout, Closing, PaymentRequest, PaymentStatus, ProviderError, RefundRequest,
        RefundState, RefundTruth,
    },
};

const SESSIONS: &str = "POST /v1/checkout/sessions";
const REFUNDS: &str = "POST /v1/refunds";

async fn start() -> (StripeServer, Client) {
    let server = StripeServer::start().await;
    let client = client(&server, Some(SECRET_KEY));
    (server, client)
}

fn client(server: &StripeServer, key: Option<&str>) -> Client {
    Client::new(&StripeSettings {
        stripe_secret_key: key.map(Secret::new),
        stripe_webhook_secret: None,
        stripe_api_base: server.url().parse().unwrap(),
    })
}

fn payment(minor: i64, currency: &str) -> PaymentRequest {
    PaymentRequest {
        key: "attempt-1".to_owned(),
        order: OrderId::new(&Sources::system()),
        amount: Money::new(minor, currency.parse().unwrap()),
        description: "Late Show · 4711".to_owned(),
        return_url: "https://shop.example/orders/1".to_owned(),
        deadline: Sources::system().now() + Duration::from_secs(900),
    }
}

async fn paid(server: &StripeServer, client: &Client, request: &PaymentRequest) -> Checkout {
    let made = checkout::create(client, request).await.unwrap();
    server.pay(&made.reference).unwrap();
    made
}

fn back(payment: &PaymentRequest, made: &Checkout, key: &str, minor: i64) -> RefundRequest {
    RefundRequest {
        refund: RefundId::new(&Sources::system()),
        key: key.to_owned(),
        order: payment.order,
        payment: made.reference.clone(),
        capture: None,
        amount: Money::new(minor, payment.amount.currency),
    }
}

fn failed(truth: &RefundTruth) -> &str {
    match &truth.state {
        RefundState::Failed {
            reason,
            final_: true,
        } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_same_request_is_the_same_session_whatever_happens_to_the_answer() {
    let (server, client) = start().await;
    let request = payment(9000, "EUR");
    server.fault_next(SESSIONS, Fault::Cut, 1);
    server.fault_next(SESSIONS, Fault::Fails(503), 1);
    for _ in 0..2 {
        let unknown = checkout::create(&client, &request).await;
        assert!(matches!(unknown, Err(ProviderError::Unreachable(_))));
    }
    let made = checkout::create(&client, &request).await.unwrap();
    assert_eq!(checkout::create(&client, &request).await.unwrap(), made);
    assert!(made.url.starts_with("https://checkout.stripe.com/"));
    let ledger = server.ledger();
    assert_eq!((ledger.len(), ledger[0].attempt.as_str()), (1, "attempt-1"));
    // A later version of this program may ask otherwise: that is no "no".
    let mut other = request.clone();
    other.description = "Tickets".to_owned();
    let unknown = checkout::create(&client, &other).await;
    assert!(matches!(unknown, Err(ProviderError::Unreachable(_))));
}

#[tokio::test]
async fn it_waits_a_little_when_asked_to() {
    let (server, client) = start().await;
    let request = payment(9000, "EUR");
    server.fault_next(SESSIONS, Fault::TooMany(1), 1);
    let began = std::time::Instant::now();
    checkout::create(&client, &request).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    server.fault_next(SESSIONS, Fault::TooMany(60), 1);
    let busy = checkout::create(&client, &request).await;
    assert!(matches!(busy, Err(ProviderError::Unreachable(_))));
    assert_eq!(server.calls(SESSIONS), 3);
    // A key that is under way is asked for again too.
    let slow = Fault::Slow(Duration::from_millis(700));
    server.fault_next(SESSIONS, slow, 1);
    let mut another = request.clone();
    another.key = "attempt-2".to_owned();
    let twice = (
        checkout::create(&client, &another),
        checkout::create(&client, &another),
    );
    let (one, two) = tokio::join!(twice.0, twice.1);
    assert_eq!(one.unwrap(), two.unwrap());
}

#[tokio::test]
async fn a_wrong_key_is_for_its_operator_to_mend() {
    let (server, _) = start().await;
    for key in [None, Some("sk_test_other"), Some("no\nheader")] {
        let client = client(&server, key);
        let Err(ProviderError::Unreachable(why)) =
            checkout::create(&client, &payment(9000, "EUR")).await
        else {
            panic!("{key:?}");
        };
        assert!(
            why.contains("STRIPE_SECRET_KEY") && !why.contains("sk_"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn amounts_arrive_as_they_were_asked_for() {
    let (server, client) = start().await;
    for (minor, currency, theirs) in [
        (9000, "EUR", 9000),
        (500, "JPY", 500),
        (500, "ISK", 50_000),
        (5120, "KWD", 5120),
    ] {
        let mut request = payment(minor, currency);
        request.key = currency.to_owned();
        let made = paid(&server, &client, &request).await;
        assert_eq!(server.ledger().last().unwrap().captured, theirs);
        let truth = checkout::fetch(&client, &made.reference).await.unwrap();
        let arrived = (truth.amount_minor, truth.currency.as_str());
        assert_eq!(arrived, (minor, currency));
        assert!(truth.capture.unwrap().starts_with("pi_"));
    }
    let calls = server.calls(SESSIONS);
    for (minor, currency) in [(5124, "KWD"), (9000, "IQD")] {
        let refused = checkout::create(&client, &payment(minor, currency)).await;
        assert!(matches!(refused, Err(ProviderError::Refused(_))));
    }
    assert_eq!(server.calls(SESSIONS), calls);
    let tiny = checkout::create(&client, &payment(10, "EUR")).await;
    assert!(matches!(tiny, Err(ProviderError::Refused(why)) if why.contains("amount_too_small")));
    // The time to pay was over before Stripe could be reached: there is no page, and never will be.
    let mut late = payment(9000, "EUR");
    late.deadline = Sources::system().now() - Duration::from_secs(600);
    let late = checkout::create(&client, &late).await;
    assert!(matches!(late, Err(ProviderError::Refused(_))));
}

#[tokio::test]
async fn a_payment_stands_as_it_stands() {
    let (server, client) = start().await;
    let made = checkout::create(&client, &payment(9000, "EUR"))
        .await
        .unwrap();
    let status = async || {
        let truth = checkout::fetch(&client, &made.reference).await.unwrap();
        assert_eq!(
            (truth.amount_minor, truth.reference),
            (9000, made.reference.clone())
        );
        truth.status
    };
    assert_eq!(status().await, PaymentStatus::Open);
    server.decline(&made.reference).unwrap();
    assert_eq!(status().await, PaymentStatus::Declined);
    server.pay_later(&made.reference).unwrap();
    assert_eq!(status().await, PaymentStatus::Pending);
    let closing = checkout::close(&client, &made.reference).await.unwrap();
    assert_eq!(closing, Closing::Pending);
    server.settle(&made.reference, false).unwrap();
    assert_eq!(status().await, PaymentStatus::Failed);
    let closing = checkout::close(&client, &made.reference).await.unwrap();
    assert_eq!(closing, Closing::Closed);
    let unknown = checkout::fetch(&client, "cs_test_other").await;
    assert!(matches!(unknown, Err(ProviderError::UnknownReference)));
}

#[tokio::test]
async fn closing_is_idempotent_and_the_money_goes_first() {
    let (server, client) = start().await;
    let mut request = payment(9000, "EUR");
    let open = checkout::create(&client, &request).await.unwrap();
    for _ in 0..2 {
        let closing = checkout::close(&client, &open.reference).await.unwrap();
        assert_eq!(closing, Closing::Closed);
    }
    let truth = checkout::fetch(&client, &open.reference).await.unwrap();
    assert_eq!(truth.status, PaymentStatus::Closed);
    request.key = "attempt-2".to_owned();
    let made = paid(&server, &client, &request).await;
    let closing = checkout::close(&client, &made.reference).await.unwrap();
    assert_eq!(closing, Closing::Paid);
}

#[tokio::test]
async fn a_refund_is_made_once_even_if_stripe_has_forgotten_its_key() {
    let (server, client) = start().await;
    let request = payment(9000, "EUR");
    let made = paid(&server, &client, &request).await;
    let refund = back(&request, &made, "refund-1", 4500);
    // Done, and kept as a failure: by the key alone it would fail for ever.
    server.fault_next(REFUNDS, Fault::FailsAfter, 1);
    let unknown = refunds::refund(&client, &refund).await;
    assert!(matches!(unknown, Err(ProviderError::Unreachable(_))));
    let truth = refunds::refund(&client, &refund).await.unwrap();
    assert_eq!(truth.state, RefundState::Succeeded);
    assert_eq!(server.refunds(), [truth.reference.unwrap()]);
    server.fault_next(REFUNDS, Fault::Cut, 1);
    let second = back(&request, &made, "refund-2", 4500);
    assert!(refunds::refund(&client, &second).await.is_err());
    let truth = refunds::refund(&client, &second).await.unwrap();
    assert_eq!(truth.state, RefundState::Succeeded);
    assert_eq!(server.ledger()[0].refunded, 9000);
    let third = back(&request, &made, "refund-3", 1);
    let truth = refunds::refund(&client, &third).await.unwrap();
    assert!(failed(&truth).starts_with("charge_already_refunded"));
    assert_eq!(truth.reference, None);
}

#[tokio::test]
async fn what_cannot_go_back_fails_for_good() {
    let (server, client) = start().await;
    let request = payment(5120, "KWD");
    let made = checkout::create(&client, &request).await.unwrap();
    let early = back(&request, &made, "refund-0", 5120);
    let truth = refunds::refund(&client, &early).await.unwrap();
    assert_eq!(failed(&truth), "nothing was paid");
    server.pay(&made.reference).unwrap();
    for (minor, why) in [
        (5130, "invalid_request_error: Refund amount"),
        (5, "Stripe cannot take exactly 0.005 KWD"),
    ] {
        let refund = back(&request, &made, &minor.to_string(), minor);
        let truth = refunds::refund(&client, &refund).await.unwrap();
        assert!(failed(&truth).starts_with(why), "{truth:?}");
    }
    assert_eq!(server.refunds(), [""; 0]);
}

#[tokio::test]
async fn a_refund_ends_later_or_fails_and_all_are_listed() {
    let (server, client) = start().await;
    let began = Sources::system().now();
    let request = payment(9000, "EUR");
    let made = paid(&server, &client, &request).await;
    server.refunds_become(RefundFate::StaysPending);
    let refund = back(&request, &made, "refund-1", 4000);
    let truth = refunds::refund(&client, &refund).await.unwrap();
    assert_eq!(truth.state, RefundState::Pending);
    let reference = truth.reference.unwrap();
    server.settle_refund(&reference, false).unwrap();
    let truth = refunds::fetch(&client, &reference).await.unwrap();
    assert_eq!(failed(&truth), "expired_or_canceled_card");
    server.refunds_become(RefundFate::Succeeds);
    let theirs = server.refund_in_dashboard(&made.reference, 9000).unwrap();
    let intent = server.ledger()[0].intent.clone();
    let listed = refunds::since(&client, began - Duration::from_secs(1))
        .await
        .unwrap();
    let found: Vec<_> = listed
        .iter()
        .map(|seen| {
            (
                seen.reference.as_str(),
                seen.key.as_deref(),
                seen.amount_minor,
            )
        })
        .collect();
    let expected = [
        (theirs.as_str(), None, 9000),
        (reference.as_str(), Some("refund-1"), 4000),
    ];
    assert_eq!(found, expected);
    assert!(listed.iter().all(|seen| seen.payment == intent));
    let truth = checkout::fetch(&client, &made.reference).await.unwrap();
    assert_eq!(truth.refunds.len(), 2);
    assert!(
        truth
            .refunds
            .iter()
            .all(|seen| seen.payment == made.reference)
    );
    let later = refunds::since(&client, began + Duration::from_secs(60));
    assert_eq!(later.await.unwrap(), []);
}

#[tokio::test]
async fn long_lists_are_read_to_their_end() {
    let (server, client) = start().await;
    let request = payment(9000, "EUR");
    let made = paid(&server, &client, &request).await;
    for _ in 0..230 {
        server.refund_in_dashboard(&made.reference, 1).unwrap();
    }
    let truth = checkout::fetch(&client, &made.reference).await.unwrap();
    let mut found: Vec<&str> = truth.refunds.iter().map(|r| r.reference.as_str()).collect();
    found.reverse();
    assert_eq!(found, server.refunds());
}
