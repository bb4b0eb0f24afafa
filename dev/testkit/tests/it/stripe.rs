use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use testkit::StripeServer;
use testkit::stripe::{Fault, RefundFate, SECRET_KEY};

struct Heard {
    status: u16,
    body: String,
    replayed: bool,
}

impl Heard {
    fn object(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn id(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.object()["id"].as_str().unwrap().to_owned()
    }

    fn error(&self) -> (u16, String) {
        let error = &self.object()["error"];
        let word = error["code"].as_str().or(error["type"].as_str());
        (self.status, word.unwrap().to_owned())
    }
}

async fn call(request: reqwest::RequestBuilder) -> Result<Heard, reqwest::Error> {
    let request = request.header("stripe-version", "2026-02-25.clover");
    let answer = request.send().await?;
    Ok(Heard {
        status: answer.status().as_u16(),
        replayed: answer.headers().contains_key("idempotent-replayed"),
        body: answer.text().await?,
    })
}

async fn post(
    stripe: &StripeServer,
    path: &str,
    key: &str,
    params: &[(&str, &str)],
) -> Result<Heard, reqwest::Error> {
    let request = reqwest::Client::new()
        .post(format!("{}/v1/{path}", stripe.url()))
        .bearer_auth(SECRET_KEY)
        .header("idempotency-key", key)
        .form(params);
    call(request).await
}

async fn create(stripe: &StripeServer, key: &str, secs: u64) -> Result<Heard, reqwest::Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // Whole minutes, so that a call and its repetition say the same.
    let expires_at = (now.as_secs() / 60 * 60 + secs).to_string();
    let params = [
        ("mode", "payment"),
        ("line_items[0][price_data][currency]", "eur"),
        ("line_items[0][price_data][unit_amount]", "4500"),
        ("line_items[0][price_data][product_data][name]", "Tickets"),
        ("line_items[0][quantity]", "2"),
        ("metadata[attempt]", "a"),
        ("success_url", "https://shop.example/"),
        ("expires_at", &expires_at),
    ];
    post(stripe, "checkout/sessions", key, &params).await
}

async fn paid(stripe: &StripeServer) -> String {
    let session = create(stripe, "s", 3600).await.unwrap().id();
    stripe.pay(&session).unwrap();
    stripe.ledger()[0].intent.clone()
}

#[tokio::test]
async fn the_same_key_is_the_same_session() {
    let stripe = StripeServer::start().await;
    stripe.fault_next("POST /v1/checkout/sessions", Fault::Cut, 1);
    assert!(create(&stripe, "k", 3600).await.is_err());
    let first = create(&stripe, "k", 3600).await.unwrap();
    let again = create(&stripe, "k", 3600).await.unwrap();
    assert!(first.replayed && again.replayed);
    assert_eq!(first.body, again.body);
    assert_eq!(stripe.ledger().len(), 1);
    let other = create(&stripe, "k", 7200).await.unwrap();
    assert_eq!(other.error(), (400, "idempotency_error".to_owned()));
}

#[tokio::test]
async fn a_key_that_is_under_way_is_in_use() {
    let stripe = StripeServer::start().await;
    let slow = Fault::Slow(Duration::from_secs(3));
    stripe.fault_next("POST /v1/checkout/sessions", slow, 1);
    let second = async {
        testkit::eventually("the session", Duration::from_secs(60), || async {
            (stripe.ledger().len() == 1).then_some(())
        })
        .await;
        create(&stripe, "k", 3600).await.unwrap()
    };
    let (first, second) = tokio::join!(create(&stripe, "k", 3600), second);
    assert_eq!(first.unwrap().status, 200);
    assert_eq!(second.error(), (409, "idempotency_key_in_use".to_owned()));
}

#[tokio::test]
async fn a_session_lives_half_an_hour_at_least_and_is_expired_once() {
    let stripe = StripeServer::start().await;
    let short = create(&stripe, "k", 1700).await.unwrap();
    assert_eq!(short.error(), (400, "parameter_invalid".to_owned()));
    // Nothing had begun, so the key is free.
    let session = create(&stripe, "k", 3600).await.unwrap().id();
    stripe.decline(&session).unwrap();
    let expire = format!("checkout/sessions/{session}/expire");
    let expired = post(&stripe, &expire, "e1", &[]).await.unwrap();
    assert_eq!(expired.object()["status"], "expired");
    assert!(stripe.pay(&session).unwrap_err().contains("expired"));
    let again = post(&stripe, &expire, "e2", &[]).await.unwrap();
    assert_eq!(again.error(), (400, "invalid_request_error".to_owned()));
}

#[tokio::test]
async fn never_more_goes_back_than_came() {
    let stripe = StripeServer::start().await;
    let intent = paid(&stripe).await;
    for (key, amount, expected) in [
        ("a", "9001", Some((400, "invalid_request_error"))),
        ("b", "4000", None),
        ("b", "4000", None),
        ("c", "5001", Some((400, "invalid_request_error"))),
        ("d", "5000", None),
        ("e", "1", Some((400, "charge_already_refunded"))),
    ] {
        let params = [("payment_intent", intent.as_str()), ("amount", amount)];
        let heard = post(&stripe, "refunds", key, &params).await.unwrap();
        match expected {
            Some((status, word)) => assert_eq!(heard.error(), (status, word.to_owned()), "{key}"),
            None => assert!(heard.id().starts_with("re_")),
        }
    }
    assert_eq!(stripe.refunds().len(), 2);
    let entry = &stripe.ledger()[0];
    assert_eq!((entry.captured, entry.refunded), (9000, 9000));
}

#[tokio::test]
async fn a_failed_refund_gives_its_amount_back() {
    let stripe = StripeServer::start().await;
    let intent = paid(&stripe).await;
    stripe.refunds_become(RefundFate::StaysPending);
    let params = [("payment_intent", intent.as_str())];
    let refund = post(&stripe, "refunds", "a", &params).await.unwrap().id();
    assert_eq!(stripe.ledger()[0].refunded, 9000);
    stripe.settle_refund(&refund, false).unwrap();
    assert_eq!(stripe.ledger()[0].refunded, 0);
    let kinds: Vec<String> = stripe
        .events()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    let expected = [
        "checkout.session.completed",
        "refund.created",
        "charge.refunded",
        "refund.failed",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn keys_names_and_parameters_are_checked() {
    let stripe = StripeServer::start().await;
    let url = format!("{}/v1/refunds", stripe.url());
    let stranger = reqwest::Client::new().get(&url).bearer_auth("sk_other");
    assert_eq!(call(stranger).await.unwrap().status, 401);
    let unknown = post(
        &stripe,
        "refunds",
        "a",
        &[("payment_intent", "pi_1"), ("x", "1")],
    );
    let unknown = unknown.await.unwrap().error();
    assert_eq!(unknown, (400, "parameter_unknown".to_owned()));
    let missing = post(&stripe, "refunds", "a", &[("payment_intent", "pi_1")]);
    let missing = missing.await.unwrap().error();
    assert_eq!(missing, (404, "resource_missing".to_owned()));
}
