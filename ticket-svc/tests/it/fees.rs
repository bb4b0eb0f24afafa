//! What a guest pays: the price, its tax, and a fee that is a part of it or comes on top.

use base::{EventId, TicketTypeId};
use proto::{
    common,
    ticket::{self as api, FeeMode},
};
use testkit::keys;

use crate::shop::{Held, Shop, begin_request, euro, event_request, type_request};

fn fee(mode: FeeMode, fixed_minor: i64, rate_ppm: u32) -> Option<api::ServiceFee> {
    Some(api::ServiceFee {
        mode: mode.into(),
        fixed_minor,
        rate_ppm,
    })
}

/// An event with this fee and one type at this price, taxed with 19 %.
async fn on_sale(
    shop: &Shop,
    fee: Option<api::ServiceFee>,
    price: common::Money,
) -> (EventId, TicketTypeId) {
    let mut event = event_request("Night of the Fees");
    (event.fee, event.currency) = (fee, price.currency.clone());
    let made = shop.admin.clone().create_event(shop.own(event)).await;
    let event = made.unwrap().into_inner().event.unwrap();
    let event = event.id.parse().unwrap();
    let mut request = type_request(event, Some(10));
    (request.price, request.tax_rate_ppm) = (Some(price), 190_000);
    let made = shop
        .admin
        .clone()
        .create_ticket_type(shop.own(request))
        .await;
    let made = made.unwrap().into_inner().ticket_type.unwrap();
    (event, made.id.parse().unwrap())
}

async fn shown(shop: &Shop, event: EventId) -> (api::Event, api::TicketType) {
    let request = api::GetEventRequest {
        id_or_slug: event.to_string(),
    };
    let shown = shop.catalog.clone().get_event(request).await.unwrap();
    let shown = shown.into_inner();
    (shown.event.unwrap(), shown.ticket_types[0].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_fee_is_in_every_price_that_a_guest_sees() {
    let shop = Shop::open().await;
    let (event, id) = on_sale(&shop, fee(FeeMode::Added, 50, 25_000), euro(4_500)).await;
    // 50 + 112.5, rounded once.
    let (seen, ticket_type) = shown(&shop, event).await;
    assert_eq!(seen.price_from, Some(euro(4_663)));
    assert_eq!(seen.fee, fee(FeeMode::Added, 50, 25_000));
    assert_eq!(ticket_type.price, Some(euro(4_500)));
    assert_eq!(ticket_type.unit_price, Some(euro(4_663)));
    assert_eq!(ticket_type.unit_fee, Some(euro(163)));
    assert_eq!(ticket_type.tax_rate_ppm, 190_000);

    let key = keys::idempotency_key();
    let answer = shop.try_hold(event, &[(id, 3)], &key).await.unwrap();
    let hold = answer.hold.clone().unwrap();
    assert_eq!(hold.total, Some(euro(3 * 4_663)));
    let line = &hold.lines[0];
    assert_eq!(line.unit_price, Some(euro(4_663)));
    assert_eq!(line.line_total, Some(euro(3 * 4_663)));
    assert_eq!(line.unit_fee, Some(euro(163)));
    assert_eq!(line.tax_rate_ppm, 190_000);

    // Another fee and tax are for the guests after this one.
    shop.update_event(api::UpdateEventRequest {
        event_id: event.to_string(),
        fee: fee(FeeMode::Added, 900, 0),
        ..Default::default()
    })
    .await;
    let edit = shop.own(api::UpdateTicketTypeRequest {
        ticket_type_id: id.to_string(),
        tax_rate_ppm: Some(70_000),
        ..Default::default()
    });
    shop.admin.clone().update_ticket_type(edit).await.unwrap();
    assert_eq!(
        shown(&shop, event).await.1.unit_price,
        Some(euro(4_500 + 900))
    );
    assert_eq!(
        shop.try_hold(event, &[(id, 3)], &key).await.unwrap(),
        answer
    );
    let held = Held::from(answer);
    assert_eq!(shop.get_hold(&held).await, hold);
    let begun = shop.try_begin(shop.order(), &held).await.unwrap();
    assert_eq!(begun.lines, hold.lines);
    assert_eq!(begun.total, hold.total);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absorbed_fee_changes_no_price_and_takes_no_more_than_it() {
    let shop = Shop::open().await;
    let (event, id) = on_sale(&shop, fee(FeeMode::Absorbed, 50, 25_000), euro(4_500)).await;
    let (seen, ticket_type) = shown(&shop, event).await;
    assert_eq!(seen.price_from, Some(euro(4_500)));
    assert_eq!(ticket_type.unit_price, Some(euro(4_500)));
    assert_eq!(ticket_type.unit_fee, Some(euro(163)));
    let held = shop.hold(event, id, 2).await;
    let hold = shop.get_hold(&held).await;
    assert_eq!(hold.total, Some(euro(9_000)));
    assert_eq!(hold.lines[0].unit_fee, Some(euro(163)));

    let (event, _) = on_sale(&shop, fee(FeeMode::Absorbed, 50, 0), euro(30)).await;
    let (_, small) = shown(&shop, event).await;
    assert_eq!(
        (small.unit_price, small.unit_fee),
        (Some(euro(30)), Some(euro(30)))
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_ticket_has_no_fee() {
    let shop = Shop::open().await;
    let (event, id) = on_sale(&shop, fee(FeeMode::Added, 100, 500_000), euro(0)).await;
    let (seen, ticket_type) = shown(&shop, event).await;
    assert_eq!(seen.price_from, Some(euro(0)));
    assert_eq!(ticket_type.unit_fee, Some(euro(0)));
    let held = shop.hold(event, id, 2).await;
    assert_eq!(held.total, euro(0));
    shop.begin_with(begin_request(shop.order(), &held))
        .await
        .unwrap();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn currencies_without_decimals_and_with_three() {
    let shop = Shop::open().await;
    for currency in ["JPY", "KWD"] {
        let of = |amount_minor| common::Money {
            amount_minor,
            currency: currency.to_owned(),
        };
        let (event, id) = on_sale(&shop, fee(FeeMode::Added, 0, 100_000), of(1_005)).await;
        // 100.5 of the smallest unit.
        assert_eq!(shown(&shop, event).await.0.price_from, Some(of(1_106)));
        assert_eq!(shop.hold(event, id, 2).await.total, of(2_212));
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_type_is_the_price_from() {
    let shop = Shop::open().await;
    let (event, _) = on_sale(&shop, fee(FeeMode::Added, 100, 0), euro(4_500)).await;
    let mut cheaper = type_request(event, Some(5));
    cheaper.price = Some(euro(1_500));
    let made = shop
        .admin
        .clone()
        .create_ticket_type(shop.own(cheaper))
        .await;
    let made = made.unwrap().into_inner().ticket_type.unwrap();
    assert_eq!(made.unit_price, Some(euro(1_600)));
    assert_eq!(shown(&shop, event).await.0.price_from, Some(euro(1_600)));
    assert_eq!(shop.own_event(event).await.price_from, Some(euro(1_600)));
    shop.close().await;
}
