//! Binding a hold to its order.

use base::EventId;
use kit::ErrorReason;
use proto::ticket::{self as api, HoldStatus};

use crate::shop::{Held, Shop, begin_request, euro, event_request, fact, refused, refused_field};

fn seconds_between(
    early: &Option<prost_types::Timestamp>,
    late: &Option<prost_types::Timestamp>,
) -> i64 {
    late.as_ref().unwrap().seconds - early.as_ref().unwrap().seconds
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_all_that_an_order_must_remember() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let (order, held) = (shop.order(), shop.hold(event, ticket_type, 2).await);
    let begun = shop.try_begin(order, &held).await.unwrap();
    assert_eq!(begun.total, Some(euro(9000)));
    assert_eq!((begun.lines.len(), begun.lines[0].quantity), (1, 2));
    assert_eq!(begun.event.as_ref().unwrap().id, event.to_string());
    assert_eq!(begun.event.as_ref().unwrap().title, "Night of the Cello");
    assert_eq!(seconds_between(&begun.pay_by, &begun.paying_until), 300);
    assert_eq!(shop.get_hold(&held).await.status(), HoldStatus::Paying);

    let mut repeat = begin_request(order, &held);
    repeat.secret.clear();
    assert_eq!(shop.begin_with(repeat).await.unwrap(), begun);
    assert_eq!(shop.counters(ticket_type).await, (2, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_has_more_time_than_a_card() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let card = shop.hold(event, ticket_type, 1).await;
    let card = shop.try_begin(shop.order(), &card).await.unwrap();
    let manual = shop.hold(event, ticket_type, 1).await;
    let mut manual = begin_request(shop.order(), &manual);
    manual.provider_kind = "manual".to_owned();
    let manual = shop.begin_with(manual).await.unwrap();
    let days = seconds_between(&card.pay_by, &manual.pay_by) / 3600 / 24;
    assert_eq!(days, 6);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hold_is_paid_by_one_order() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let (order, held) = shop.paying(event, ticket_type, 1).await;
    let in_progress = ErrorReason::PaymentInProgress;
    refused(shop.try_begin(shop.order(), &held).await, in_progress);
    let another = shop.hold(event, ticket_type, 1).await;
    refused(
        shop.try_begin(order, &another).await,
        ErrorReason::OrderNotOpen,
    );
    shop.commit(order).await;
    refused(shop.try_begin(shop.order(), &held).await, in_progress);
    // What was answered once is answered again.
    shop.try_begin(order, &held).await.unwrap();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_orders_at_once_bind_one() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    for _ in 0..10 {
        let held = shop.hold(event, ticket_type, 1).await;
        let (one, two) = tokio::join!(
            shop.try_begin(shop.order(), &held),
            shop.try_begin(shop.order(), &held)
        );
        let loser = match (one, two) {
            (Ok(_), loser) | (loser, Ok(_)) => loser,
            neither => panic!("{neither:?}"),
        };
        refused(loser, ErrorReason::PaymentInProgress);
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_surprise_charge() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let held = shop.hold(event, ticket_type, 1).await;
    for wrong in [
        euro(4499),
        proto::common::Money {
            currency: "USD".to_owned(),
            ..euro(4500)
        },
    ] {
        let mut request = begin_request(shop.order(), &held);
        request.expected_total = Some(wrong);
        let failure = refused(shop.begin_with(request).await, ErrorReason::TotalChanged);
        assert_eq!(fact(&failure, "total_minor"), Some("4500"));
    }
    assert_eq!(shop.get_hold(&held).await.status(), HoldStatus::Active);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_order_begins_no_more() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    // Released before it began.
    let (order, held) = (shop.order(), shop.hold(event, ticket_type, 1).await);
    shop.release_order(order).await;
    refused(
        shop.try_begin(order, &held).await,
        ErrorReason::OrderNotOpen,
    );
    assert_eq!(shop.get_hold(&held).await.status(), HoldStatus::Active);
    // Released after it began; a repeat moves nothing.
    let (order, held) = shop.paying(event, ticket_type, 2).await;
    for _ in 0..2 {
        shop.release_order(order).await;
        assert_eq!(shop.counters(ticket_type).await, (1, 0));
        assert_eq!(shop.get_hold(&held).await.status(), HoldStatus::Released);
    }
    refused(
        shop.try_begin(order, &held).await,
        ErrorReason::OrderNotOpen,
    );
    refused(
        shop.try_begin(shop.order(), &held).await,
        ErrorReason::HoldExpired,
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_by_field_secret_event_and_caller() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let held = shop.hold(event, ticket_type, 1).await;
    let begin = async |change: fn(&mut api::BeginPaymentRequest)| {
        let mut request = begin_request(shop.order(), &held);
        change(&mut request);
        shop.begin_with(request).await
    };
    refused_field(begin(|r| r.order_id = "x".to_owned()).await, "order_id");
    refused_field(begin(|r| r.expected_total = None).await, "expected_total");
    refused_field(
        begin(|r| r.provider_kind = "barter".to_owned()).await,
        "provider_kind",
    );
    refused_field(begin(|r| r.guest_key.clear()).await, "guest_key");
    refused(begin(|r| r.secret.clear()).await, ErrorReason::NotFound);
    refused(
        begin(|r| r.hold_id = "x".to_owned()).await,
        ErrorReason::NotFound,
    );
    for status in ["inactive", "cancelled"] {
        shop.set_event_status(event, status).await;
        refused(begin(|_| ()).await, ErrorReason::EventNotActive);
    }
    let request = begin_request(shop.order(), &held);
    let as_gateway = shop
        .inventory_of_gateway
        .clone()
        .begin_payment(request)
        .await;
    refused(as_gateway, ErrorReason::CallerNotAllowed);
    shop.close().await;
}

const CANCELLATION: api::CancellationRule = api::CancellationRule {
    allowed: true,
    until_hours: 24,
    fee_ppm: 50_000,
};

/// An event that takes these providers.
async fn event_that_takes(shop: &Shop, providers: &[&str], days: u32) -> EventId {
    let mut request = event_request("Cash only");
    request.payment_providers = providers.iter().map(|name| (*name).to_owned()).collect();
    request.manual_payment_days = days;
    request.seller = Some(seller());
    request.cancellation = Some(CANCELLATION);
    let made = shop.admin.clone().create_event(shop.own(request)).await;
    made.unwrap()
        .into_inner()
        .event
        .unwrap()
        .id
        .parse()
        .unwrap()
}

fn seller() -> proto::common::Seller {
    proto::common::Seller {
        name: "Old Mill e. V.".to_owned(),
        address: "Mill Lane 1\n10115 Berlin".to_owned(),
        tax_id: "DE123456789".to_owned(),
        contact: "help@old-mill.example".to_owned(),
    }
}

fn offering(order: base::OrderId, held: &Held, kinds: &[&str]) -> api::BeginPaymentRequest {
    let mut request = begin_request(order, held);
    request.provider_kind.clear();
    request.provider_kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_offered_provider_that_the_event_takes_is_chosen() {
    let shop = Shop::open().await;
    let event = event_that_takes(&shop, &["manual", "stripe"], 0).await;
    let ticket_type = shop.ticket_type(event, Some(10)).await;
    let (order, held) = (shop.order(), shop.hold(event, ticket_type, 1).await);
    let begun = offering(order, &held, &["sandbox", "stripe", "manual"]);
    let begun = shop.begin_with(begun).await.unwrap();
    assert_eq!(begun.cancellation, Some(CANCELLATION));
    assert_eq!(begun.provider_kind, "stripe");
    assert_eq!(begun.event_provider_kinds, ["manual", "stripe"]);
    assert_eq!(begun.seller, Some(seller()));
    // What was chosen stays chosen.
    let repeat = offering(order, &held, &["manual"]);
    assert_eq!(shop.begin_with(repeat).await.unwrap(), begun);

    let none = shop.hold(event, ticket_type, 1).await;
    let refusal = shop
        .begin_with(offering(shop.order(), &none, &["sandbox"]))
        .await;
    refused(refusal, ErrorReason::ProviderNotEnabled);
    refused(
        shop.try_begin(shop.order(), &none).await,
        ErrorReason::ProviderNotEnabled,
    );
    assert_eq!(shop.get_hold(&none).await.status(), HoldStatus::Active);
    let unknown = shop.begin_with(offering(shop.order(), &none, &["stripe", "barter"]));
    refused_field(unknown.await, "provider_kinds");

    // An event that names none takes them all, and the installation sells.
    let (any, id) = shop.on_sale(5).await;
    let held = shop.hold(any, id, 1).await;
    let begun = shop.begin_with(offering(shop.order(), &held, &["manual", "sandbox"]));
    let begun = begun.await.unwrap();
    assert_eq!(begun.provider_kind, "manual");
    assert!(begun.event_provider_kinds.is_empty() && begun.seller.is_none());
    let held = shop.hold(any, id, 1).await;
    let begun = shop.try_begin(shop.order(), &held).await.unwrap();
    assert_eq!(begun.provider_kind, "sandbox");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_says_how_long_a_transfer_may_take() {
    let shop = Shop::open().await;
    let event = event_that_takes(&shop, &[], 3).await;
    let ticket_type = shop.ticket_type(event, Some(10)).await;
    let days = async |kind: &str| {
        let held = shop.hold(event, ticket_type, 1).await;
        let begun = shop.begin_with(offering(shop.order(), &held, &[kind]));
        let pay_by = begun.await.unwrap().pay_by.unwrap().seconds;
        let hours = (pay_by - crate::shop::in_days(0).seconds + 60) / 3600;
        (hours / 24, hours)
    };
    assert_eq!(days("manual").await.0, 3);
    assert_eq!(days("stripe").await, (0, 0));
    shop.close().await;
}
