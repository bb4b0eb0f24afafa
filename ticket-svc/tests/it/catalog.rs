//! The programme as guests see it.

use kit::ErrorReason;
use proto::ticket::{self as api, Availability, EventStatus};
use tonic::Status;

use crate::shop::{Shop, euro, event_request, in_days, refused, refused_field, type_request};

async fn get(shop: &Shop, id_or_slug: &str) -> Result<api::GetEventResponse, Status> {
    let request = api::GetEventRequest {
        id_or_slug: id_or_slug.to_owned(),
    };
    Ok(shop.catalog.clone().get_event(request).await?.into_inner())
}

async fn list(
    shop: &Shop,
    request: api::ListEventsRequest,
) -> Result<api::ListEventsResponse, Status> {
    Ok(shop
        .catalog
        .clone()
        .list_events(request)
        .await?
        .into_inner())
}

async fn titles(shop: &Shop, request: api::ListEventsRequest) -> Vec<String> {
    let listed = list(shop, request).await.unwrap();
    listed.events.into_iter().map(|event| event.title).collect()
}

/// Makes an active event with this title, place and day.
async fn add(shop: &Shop, title: &str, location: &str, days: i64) -> api::Event {
    let mut request = event_request(title);
    request.location = location.to_owned();
    request.date_time = Some(in_days(days));
    let made = shop
        .admin
        .clone()
        .create_event(shop.own(request))
        .await
        .unwrap();
    made.into_inner().event.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_id_and_by_slug() {
    let shop = Shop::open().await;
    let (event, _) = shop.on_sale(10).await;
    let by_id = get(&shop, &event.to_string()).await.unwrap();
    let found = by_id.event.clone().unwrap();
    assert_eq!(found.slug, "night-of-the-cello");
    assert_eq!(found.timezone, "Europe/Berlin");
    assert_eq!(found.price_from, Some(euro(4500)));
    assert_eq!(found.availability(), Availability::OnSale);
    let ticket_type = &by_id.ticket_types[0];
    assert_eq!(
        (ticket_type.total_stock, ticket_type.remaining),
        (Some(10), Some(10))
    );
    assert_eq!(
        (ticket_type.min_per_order, ticket_type.max_per_order),
        (1, 10)
    );
    let by_slug = get(&shop, "night-of-the-cello").await.unwrap();
    assert_eq!(by_slug.event.unwrap().id, event.to_string());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_see_active_events_only() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    for status in ["inactive", "cancelled"] {
        shop.set_event_status(event, status).await;
        refused(get(&shop, &event.to_string()).await, ErrorReason::NotFound);
        assert!(
            titles(&shop, api::ListEventsRequest::default())
                .await
                .is_empty()
        );
    }
    for unknown in [
        "",
        "nothing",
        "no\0thing",
        "ÄÖÜ",
        "0190b6a2-7c1e-7000-8000-0123456789ab",
    ] {
        refused(get(&shop, unknown).await, ErrorReason::NotFound);
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_searched_and_paged() {
    let shop = Shop::open().await;
    add(&shop, "Cello at Noon", "Berlin, Old Mill", 3).await;
    add(&shop, "Drums", "Hamburg, Pier 100%", 1).await;
    add(&shop, "Late Cello", "Hamburg, Pier", 2).await;
    let search = |query: &str, location: &str| api::ListEventsRequest {
        query: query.to_owned(),
        location: location.to_owned(),
        ..Default::default()
    };
    assert_eq!(
        titles(&shop, search("", "")).await,
        ["Drums", "Late Cello", "Cello at Noon"]
    );
    assert_eq!(
        titles(&shop, search("late HAMBURG", "")).await,
        ["Late Cello"]
    );
    assert_eq!(
        titles(&shop, search("", "hamburg")).await,
        ["Drums", "Late Cello"]
    );
    assert_eq!(titles(&shop, search("100%", "")).await, ["Drums"]);
    assert!(titles(&shop, search("_rums", "")).await.is_empty());
    let between = api::ListEventsRequest {
        from: Some(in_days(2)),
        to: Some(in_days(4)),
        ..Default::default()
    };
    assert_eq!(titles(&shop, between).await, ["Cello at Noon"]);

    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = api::ListEventsRequest {
            page_size: 2,
            page_token,
            ..Default::default()
        };
        let page = list(&shop, request).await.unwrap();
        seen.extend(page.events.into_iter().map(|event| event.title));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["Drums", "Late Cello", "Cello at Noon"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_search_is_refused_by_field() {
    let shop = Shop::open().await;
    let refuse = async |request, field| refused_field(list(&shop, request).await, field);
    let nul = api::ListEventsRequest {
        query: "a\0b".to_owned(),
        ..Default::default()
    };
    refuse(nul, "query").await;
    let token = api::ListEventsRequest {
        page_token: "nonsense".to_owned(),
        ..Default::default()
    };
    refuse(token, "page_token").await;
    refuse(
        api::ListEventsRequest {
            page_size: 101,
            ..Default::default()
        },
        "page_size",
    )
    .await;
    let from = prost_types::Timestamp {
        seconds: i64::MAX,
        nanos: 0,
    };
    refuse(
        api::ListEventsRequest {
            from: Some(from),
            ..Default::default()
        },
        "from",
    )
    .await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_told_why() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(2).await;
    let availability = async || {
        let found = get(&shop, &event.to_string()).await.unwrap();
        let of_type = found.ticket_types[0].availability();
        assert_eq!(found.event.unwrap().availability(), of_type);
        (of_type, found.ticket_types[0].remaining)
    };
    let (order, _) = shop.paying(event, ticket_type, 1).await;
    assert_eq!(availability().await, (Availability::OnSale, Some(1)));
    let (other, _) = shop.paying(event, ticket_type, 1).await;
    assert_eq!(availability().await, (Availability::HeldByOthers, Some(0)));
    shop.commit(order).await;
    shop.commit(other).await;
    assert_eq!(availability().await, (Availability::SoldOut, Some(0)));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unlimited_stock_and_a_sale_that_has_not_begun() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let mut request = type_request(event, None);
    request.sales_start = Some(in_days(1));
    shop.admin
        .clone()
        .create_ticket_type(shop.own(request))
        .await
        .unwrap();
    let found = get(&shop, &event.to_string()).await.unwrap();
    assert_eq!(found.event.unwrap().availability(), Availability::NotYet);
    assert_eq!(
        (
            found.ticket_types[0].total_stock,
            found.ticket_types[0].remaining
        ),
        (None, None)
    );
    let plain = add(&shop, "Nothing to buy yet", "Berlin", 5).await;
    assert_eq!(
        (plain.price_from.clone(), plain.availability()),
        (None, Availability::NotYet)
    );
    assert_eq!(plain.status(), EventStatus::Active);
    shop.close().await;
}
