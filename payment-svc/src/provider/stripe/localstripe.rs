//! A smoke test against localstripe (`just localstripe`), a server that others have written. It knows no
//! Checkout Sessions, no limits, no idempotency keys and no list by time, so that only payments, refunds
//! and the refunds of a payment are compared here; `testkit::stripe` tells the rest.

use base::{Money, OrderId, RefundId, Secret, Sources};
use serde::Deserialize;

use super::{client::Client, refunds};
use crate::{
    config::StripeSettings,
    provider::{RefundRequest, RefundState},
};

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[tokio::test]
#[ignore = "needs localstripe: run it by `just localstripe`"]
async fn refunds_are_made_found_and_listed() {
    let client = client();
    let intent = paid(&client, "9000").await;
    let part = back(&intent, "refund-1", 3000);
    let made = refunds::refund(&client, &part).await.unwrap();
    assert!(matches!(made.state, RefundState::Succeeded));
    // Asked for again, the one in the list is found: this server would make a second one.
    let again = refunds::refund(&client, &part).await.unwrap();
    assert_eq!(again.reference, made.reference);
    let reference = made.reference.unwrap();
    let fetched = refunds::fetch(&client, &reference).await.unwrap();
    assert!(matches!(fetched.state, RefundState::Succeeded));

    let rest = back(&intent, "refund-2", 6000);
    refunds::refund(&client, &rest).await.unwrap();
    let mut seen: Vec<_> = refunds::of_intent(&client, &intent)
        .await
        .unwrap()
        .into_iter()
        .map(|refund| (refund.key.unwrap(), refund.amount_minor, refund.currency))
        .collect();
    seen.sort();
    let eur = || "EUR".to_owned();
    let both = [
        ("refund-1".to_owned(), 3000, eur()),
        ("refund-2".to_owned(), 6000, eur()),
    ];
    assert_eq!(seen, both);
}

fn client() -> Client {
    #[expect(clippy::disallowed_methods, reason = "the recipe says where it runs")]
    let url = std::env::var("LOCALSTRIPE_URL").unwrap();
    Client::new(&StripeSettings {
        stripe_secret_key: Some(Secret::new("sk_test_localstripe")),
        stripe_webhook_secret: None,
        stripe_api_base: url.parse().unwrap(),
    })
}

async fn paid(client: &Client, amount: &str) -> String {
    let card = [
        ("type", "card"),
        ("card[number]", "4242424242424242"),
        ("card[exp_month]", "12"),
        ("card[exp_year]", "2030"),
        ("card[cvc]", "123"),
    ];
    let card: Named = client
        .post(&["payment_methods"], &card, None)
        .await
        .unwrap();
    let intent = [
        ("amount", amount),
        ("currency", "eur"),
        ("payment_method", card.id.as_str()),
        ("confirm", "true"),
    ];
    let intent: Named = client
        .post(&["payment_intents"], &intent, None)
        .await
        .unwrap();
    intent.id
}

fn back(intent: &str, key: &str, minor: i64) -> RefundRequest {
    RefundRequest {
        refund: RefundId::new(&Sources::system()),
        key: key.to_owned(),
        order: OrderId::new(&Sources::system()),
        payment: "unused: the money has a name of its own".to_owned(),
        capture: Some(intent.to_owned()),
        amount: Money::new(minor, "EUR".parse().unwrap()),
    }
}
