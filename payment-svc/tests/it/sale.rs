//! What an order remembers of its sale: prices with tax and fee, the seller, the choice of providers.

use kit::ErrorReason;
use proto::{
    common::{Money, Seller},
    event::{Envelope, envelope::Payload},
    payment::{ListProvidersRequest, OrderStatus, PlaceOrderRequest, StartPaymentRequest},
};
use testkit::keys;

use crate::{
    inventory::Terms,
    world::{Placed, World, failure},
};

const BOTH: &[(&str, &str)] = &[
    ("--payment-providers", "sandbox,manual"),
    ("--seller-name", "Boxoffice GmbH"),
    ("--seller-tax-id", "DE123456789"),
];

fn minor(money: Option<&Money>) -> i64 {
    money.unwrap().amount_minor
}

#[tokio::test]
async fn tax_and_fee_are_stored_per_line_and_told_everywhere() {
    let world = World::start_with(BOTH).await;
    // price, fee, rate, then tax of three tickets: contained, and rounded once.
    for (currency, price_minor, fee_minor, tax_rate_ppm, tax) in [
        ("EUR", 4625, 125, 70_000, 908),
        ("JPY", 4400, 400, 100_000, 1200),
        ("KWD", 10_500, 500, 50_000, 1500),
        ("EUR", 4500, 0, 0, 0),
    ] {
        let terms = Terms {
            quantity: 3,
            price_minor,
            fee_minor,
            tax_rate_ppm,
            currency,
        };
        let placed = Placed::from(world.place(world.wish_on(terms)).await.unwrap());
        let (order, line) = (&placed.order, &placed.order.lines[0]);
        assert_eq!(minor(line.line_total.as_ref()), 3 * price_minor);
        assert_eq!(minor(line.unit_fee.as_ref()), fee_minor);
        assert_eq!(
            (minor(line.tax.as_ref()), line.tax_rate_ppm),
            (tax, tax_rate_ppm)
        );
        assert_eq!(minor(order.tax_total.as_ref()), tax);
        world.pay(order).await;
        world.until(&placed, OrderStatus::Fulfilled).await;
        let paid = receipt(&world, &placed.order.id).await;
        assert_eq!(minor(paid.lines[0].tax.as_ref()), tax);
        assert_eq!(minor(paid.lines[0].unit_fee.as_ref()), fee_minor);
        assert_eq!(paid.lines[0].tax_rate_ppm, tax_rate_ppm);
        assert_eq!(paid.seller.unwrap().name, "Boxoffice GmbH");
    }
    let parts = "SELECT sum(fee_minor * 1000 + fee_tax_minor)::bigint FROM order_lines WHERE tax_rate_ppm = 70000";
    assert_eq!(world.count(parts).await, 375 * 1000 + 25);
    world.end().await;
}

async fn receipt(world: &World, order: &str) -> proto::event::OrderPaid {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT envelope FROM outbox")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    let mut all = rows.iter().filter_map(|row| {
        let envelope: Envelope = prost::Message::decode(row.as_slice()).unwrap();
        match envelope.payload {
            Some(Payload::OrderPaid(paid)) => Some(paid),
            _ => None,
        }
    });
    all.find(|paid| paid.order_id == order).unwrap()
}

#[tokio::test]
async fn an_event_may_have_a_seller_of_its_own() {
    let world = World::start_with(BOTH).await;
    let own = Seller {
        name: "Lido Konzerte".to_owned(),
        address: "Cuvrystr. 7\nBerlin".to_owned(),
        tax_id: String::new(),
        contact: "hello@lido.example".to_owned(),
    };
    world.tickets.books().mood.seller = Some(own.clone());
    let placed = world.placed().await;
    assert_eq!(placed.order.seller, Some(own.clone()));
    // It stays as it was when the order was placed.
    world.tickets.books().mood.seller = None;
    assert_eq!(world.order(&placed, false).await.seller, Some(own));
    let other = world.placed().await.order.seller.unwrap();
    assert_eq!(
        (other.name.as_str(), other.tax_id.as_str()),
        ("Boxoffice GmbH", "DE123456789")
    );
    world.end().await;
}

#[tokio::test]
async fn an_event_takes_what_it_likes_of_what_is_enabled() {
    let world = World::start_with(BOTH).await;
    let mut guest = world.orders.clone();
    let answer = guest.list_providers(ListProvidersRequest {}).await;
    let providers = answer.unwrap().into_inner().providers;
    let names: Vec<&str> = providers.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["sandbox", "manual"]);
    assert!(providers.iter().all(|p| !p.title.is_empty()));

    let any = world.placed().await.order;
    assert_eq!(any.payment.unwrap().provider, "sandbox");
    // Bound with a card, it has too little time for a transfer.
    assert_eq!(any.payment_providers, ["sandbox"]);
    let asked = world.tickets.books().asked.clone().unwrap();
    assert_eq!(asked.provider_kinds, ["sandbox", "manual"]);

    world.tickets.books().mood.event_providers = vec!["stripe".to_owned(), "manual".to_owned()];
    let placed = world.placed().await;
    assert_eq!(placed.order.payment.as_ref().unwrap().provider, "manual");
    assert_eq!(placed.order.payment_providers, ["manual"]);
    world.cancel(&placed).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_choice_that_the_event_does_not_take_is_refused_for_good() {
    let world = World::start_with(BOTH).await;
    world.tickets.books().mood.event_providers = vec!["manual".to_owned()];
    let wish = PlaceOrderRequest {
        provider: "sandbox".to_owned(),
        ..world.wish()
    };
    for _ in 0..2 {
        let refused = failure(world.place(wish.clone()).await);
        assert_eq!(refused.reason, ErrorReason::ProviderNotEnabled);
        world.tickets.books().mood.event_providers.clear();
    }
    let asked = world.tickets.books().asked.clone().unwrap();
    assert_eq!(asked.provider_kinds, ["sandbox"]);
    world.end().await;
}

#[tokio::test]
async fn another_attempt_is_paid_with_what_the_event_takes() {
    let world = World::start_with(BOTH).await;
    world.tickets.books().mood.event_providers = vec!["sandbox".to_owned()];
    let placed = world.placed().await;
    world.decline(&placed.order).await;
    let request = StartPaymentRequest {
        order_id: placed.order.id.clone(),
        secret: placed.secret.clone(),
        provider: "manual".to_owned(),
        idempotency_key: keys::idempotency_key(),
    };
    let refused = failure(world.orders.clone().start_payment(request).await);
    assert_eq!(refused.reason, ErrorReason::ProviderNotEnabled);
    let second = world.start_payment(&placed, &keys::idempotency_key()).await;
    world.pay(&second.unwrap().order.unwrap()).await;
    world.until(&placed, OrderStatus::Fulfilled).await;
    world.end().await;
}

#[tokio::test]
async fn a_changed_total_says_what_it_is_now_and_says_it_again() {
    let world = World::start().await;
    let mut wish = world.wish();
    wish.expected_total.as_mut().unwrap().amount_minor = 8000;
    for _ in 0..2 {
        let refused = failure(world.place(wish.clone()).await);
        assert_eq!(refused.reason, ErrorReason::TotalChanged);
        let fact = |name: &str| {
            let mut facts = refused.facts.iter();
            facts.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
        };
        assert_eq!(
            (fact("total_minor"), fact("currency")),
            (Some("9000"), Some("EUR"))
        );
    }
    world.end().await;
}
