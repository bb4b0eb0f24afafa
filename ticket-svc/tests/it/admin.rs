//! The programme as admins make it.

use base::UserId;
use kit::ErrorReason;
use proto::{
    common,
    ticket::{self as api, EventStatus, FeeMode},
};
use testkit::{Direction, keys};
use tonic::{Request, Status};

use crate::shop::{Shop, by, euro, event_request, in_days, refused, refused_field, type_request};

async fn create(shop: &Shop, request: api::CreateEventRequest) -> Result<api::Event, Status> {
    let made = shop.admin.clone().create_event(shop.own(request)).await?;
    Ok(made.into_inner().event.unwrap())
}

async fn update(shop: &Shop, request: api::UpdateEventRequest) -> Result<api::Event, Status> {
    let changed = shop.admin.clone().update_event(shop.own(request)).await?;
    Ok(changed.into_inner().event.unwrap())
}

async fn create_type(
    shop: &Shop,
    request: api::CreateTicketTypeRequest,
) -> Result<api::TicketType, Status> {
    let made = shop
        .admin
        .clone()
        .create_ticket_type(shop.own(request))
        .await?;
    Ok(made.into_inner().ticket_type.unwrap())
}

async fn update_type(
    shop: &Shop,
    request: api::UpdateTicketTypeRequest,
) -> Result<api::TicketType, Status> {
    let changed = shop
        .admin
        .clone()
        .update_ticket_type(shop.own(request))
        .await?;
    Ok(changed.into_inner().ticket_type.unwrap())
}

fn seller(name: &str) -> common::Seller {
    common::Seller {
        name: name.to_owned(),
        address: "Mill Lane 1\n10115 Berlin".to_owned(),
        tax_id: String::new(),
        contact: "help@old-mill.example".to_owned(),
    }
}

fn fee(mode: FeeMode, fixed_minor: i64, rate_ppm: u32) -> Option<api::ServiceFee> {
    Some(api::ServiceFee {
        mode: mode.into(),
        fixed_minor,
        rate_ppm,
    })
}

fn rule(until_hours: u32, fee_ppm: u32) -> Option<api::CancellationRule> {
    Some(api::CancellationRule {
        allowed: true,
        until_hours,
        fee_ppm,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn how_an_event_is_sold_is_stored_and_changed_part_by_part() {
    let shop = Shop::open().await;
    let mut request = event_request("With terms");
    request.payment_providers = vec!["stripe".to_owned(), "manual".to_owned()];
    request.seller = Some(seller("Old Mill"));
    request.fee = fee(FeeMode::Added, 50, 25_000);
    request.manual_payment_days = 5;
    request.cancellation = rule(48, 100_000);
    let made = create(&shop, request.clone()).await.unwrap();
    assert_eq!(made.payment_providers, request.payment_providers);
    assert_eq!((&made.seller, &made.fee), (&request.seller, &request.fee));
    assert_eq!(
        (made.manual_payment_days, made.cancel_reason.as_str()),
        (5, "")
    );
    assert_eq!(made.cancellation, rule(48, 100_000));
    let event: base::EventId = made.id.parse().unwrap();
    assert_eq!(shop.own_event(event).await, made);

    let edit = api::UpdateEventRequest {
        event_id: made.id.clone(),
        ..Default::default()
    };
    let untouched = update(&shop, edit.clone()).await.unwrap();
    assert_eq!(
        untouched,
        api::Event {
            version: 2,
            ..made.clone()
        }
    );
    let mut empty = edit.clone();
    empty.payment_providers = Some(api::PaymentProviders::default());
    empty.seller = Some(common::Seller::default());
    empty.fee = Some(api::ServiceFee::default());
    empty.manual_payment_days = Some(0);
    empty.cancellation = Some(api::CancellationRule::default());
    let emptied = update(&shop, empty).await.unwrap();
    assert!(emptied.payment_providers.is_empty() && emptied.seller.is_none());
    assert_eq!(emptied.fee, fee(FeeMode::Absorbed, 0, 0));
    assert_eq!(emptied.manual_payment_days, 0);
    assert_eq!(emptied.cancellation, None);
    let mut ruled = edit.clone();
    ruled.cancellation = rule(0, 0);
    assert_eq!(update(&shop, ruled).await.unwrap().cancellation, rule(0, 0));
    let recorded: Vec<Option<String>> = sqlx::query_scalar(
        "SELECT after->>'seller_name' FROM audit_log WHERE event_id = $1 ORDER BY at",
    )
    .bind(event.uuid())
    .fetch_all(&shop.db)
    .await
    .unwrap();
    let expected = ["Old Mill", "Old Mill", "", ""].map(|name| Some(name.to_owned()));
    assert_eq!(recorded, expected);

    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_edit_of_how_an_event_is_sold_is_named() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let edit = api::UpdateEventRequest {
        event_id: event.to_string(),
        ..Default::default()
    };
    let mut bad = edit.clone();
    bad.payment_providers = Some(api::PaymentProviders {
        names: vec!["barter".to_owned()],
    });
    refused_field(update(&shop, bad).await, "payment_providers[0]");
    let mut bad = edit.clone();
    bad.seller = Some(seller(""));
    refused_field(update(&shop, bad).await, "seller.name");
    let mut bad = edit.clone();
    bad.fee = fee(FeeMode::Added, 0, 500_001);
    refused_field(update(&shop, bad).await, "fee.rate_ppm");
    let mut bad = edit.clone();
    bad.cancellation = rule(8_761, 0);
    refused_field(update(&shop, bad).await, "cancellation.until_hours");
    let mut bad = edit.clone();
    bad.cancellation = rule(1, 1_000_001);
    refused_field(update(&shop, bad).await, "cancellation.fee_ppm");
    let mut bad = edit;
    bad.manual_payment_days = Some(61);
    refused_field(update(&shop, bad).await, "manual_payment_days");

    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tax_of_a_type_is_stored_and_changed() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let mut request = type_request(event, Some(5));
    request.tax_rate_ppm = 190_000;
    let taxed = create_type(&shop, request).await.unwrap();
    assert_eq!(taxed.tax_rate_ppm, 190_000);
    let mut edit = api::UpdateTicketTypeRequest {
        ticket_type_id: taxed.id,
        tax_rate_ppm: Some(1_000_001),
        ..Default::default()
    };
    refused_field(update_type(&shop, edit.clone()).await, "tax_rate_ppm");
    edit.tax_rate_ppm = Some(70_000);
    assert_eq!(update_type(&shop, edit).await.unwrap().tax_rate_ppm, 70_000);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_taken_title_has_a_slug_of_its_own() {
    let shop = Shop::open().await;
    let first = create(&shop, event_request("Jazz & Blues")).await.unwrap();
    let second = create(&shop, event_request("Jazz & Blues")).await.unwrap();
    let id_like = "0190b6a2-7c1e-7000-8000-0123456789ab";
    let third = create(&shop, event_request(id_like)).await.unwrap();
    assert_eq!(first.slug, "jazz-blues");
    assert!(second.slug.starts_with("jazz-blues-"), "{}", second.slug);
    assert_ne!(third.slug, id_like);
    assert_eq!((first.version, first.status()), (1, EventStatus::Active));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_makes_one_event_and_one_type() {
    let shop = Shop::open().await;
    let mut request = event_request("Once");
    request.idempotency_key = keys::idempotency_key();
    let first = create(&shop, request.clone()).await.unwrap();
    assert_eq!(create(&shop, request.clone()).await.unwrap(), first);
    let mut other = request.clone();
    other.title = "Twice".to_owned();
    refused(
        create(&shop, other).await,
        ErrorReason::IdempotencyKeyReused,
    );
    let mut short = request.clone();
    short.idempotency_key = "short".to_owned();
    refused(
        create(&shop, short).await,
        ErrorReason::IdempotencyKeyInvalid,
    );

    let mut request = type_request(first.id.parse().unwrap(), Some(5));
    request.idempotency_key = keys::idempotency_key();
    let (one, two) = tokio::join!(
        create_type(&shop, request.clone()),
        create_type(&shop, request.clone())
    );
    assert_eq!(one.unwrap(), two.unwrap());
    request.category = "Balcony".to_owned();
    refused(
        create_type(&shop, request).await,
        ErrorReason::IdempotencyKeyReused,
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_terms_of_a_new_event_are_named() {
    let shop = Shop::open().await;
    let refuse = async |change: fn(&mut api::CreateEventRequest), field: &str| {
        let mut request = event_request("Fine");
        change(&mut request);
        refused_field(create(&shop, request).await, field);
    };
    refuse(
        |r| r.payment_providers = vec!["stripe".to_owned(), "barter".to_owned()],
        "payment_providers[1]",
    )
    .await;
    refuse(
        |r| r.payment_providers = vec!["manual".to_owned(); 2],
        "payment_providers[1]",
    )
    .await;
    refuse(|r| r.seller = Some(seller("  ")), "seller.name").await;
    refuse(|r| r.seller = Some(seller(&"x".repeat(201))), "seller.name").await;
    refuse(
        |r| r.seller.insert(seller("Mill")).address = "x".repeat(501),
        "seller.address",
    )
    .await;
    refuse(
        |r| r.seller.insert(seller("Mill")).tax_id = "x".repeat(51),
        "seller.tax_id",
    )
    .await;
    refuse(
        |r| r.seller.insert(seller("Mill")).contact = "x".repeat(201),
        "seller.contact",
    )
    .await;
    refuse(|r| r.fee = fee(FeeMode::Unspecified, 0, 1), "fee.mode").await;
    refuse(|r| r.fee = fee(FeeMode::Added, -1, 0), "fee.fixed_minor").await;
    refuse(
        |r| r.fee = fee(FeeMode::Added, 1_000_000_000_001, 0),
        "fee.fixed_minor",
    )
    .await;
    refuse(|r| r.fee = fee(FeeMode::Added, 0, 500_001), "fee.rate_ppm").await;
    refuse(|r| r.manual_payment_days = 61, "manual_payment_days").await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_fields_are_named() {
    let shop = Shop::open().await;
    let refuse = async |change: fn(&mut api::CreateEventRequest), field: &str| {
        let mut request = event_request("Fine");
        change(&mut request);
        refused_field(create(&shop, request).await, field);
    };
    refuse(|r| r.title.clear(), "title").await;
    refuse(|r| r.title = "a\0b".to_owned(), "title").await;
    refuse(|r| r.description = "x".repeat(10_001), "description").await;
    refuse(|r| r.location.clear(), "location").await;
    refuse(|r| r.date_time = None, "date_time").await;
    refuse(|r| r.timezone = "Europe/Atlantis".to_owned(), "timezone").await;
    refuse(|r| r.currency = "eur".to_owned(), "currency").await;
    refuse(|r| r.status = EventStatus::Cancelled.into(), "status").await;

    let event = shop.event().await;
    let refuse = async |change: fn(&mut api::CreateTicketTypeRequest), field: &str| {
        let mut request = type_request(event, Some(5));
        change(&mut request);
        refused_field(create_type(&shop, request).await, field);
    };
    refuse(|r| r.category.clear(), "category").await;
    refuse(|r| r.price = None, "price").await;
    refuse(|r| r.price = Some(euro(-1)), "price").await;
    refuse(
        |r| r.price.as_mut().unwrap().currency = "JPY".to_owned(),
        "price",
    )
    .await;
    refuse(|r| r.total_stock = Some(-1), "total_stock").await;
    refuse(|r| r.total_stock = Some(10_000_001), "total_stock").await;
    refuse(|r| r.max_per_order = 101, "max_per_order").await;
    refuse(|r| r.tax_rate_ppm = 1_000_001, "tax_rate_ppm").await;
    refuse(
        |r| (r.min_per_order, r.max_per_order) = (3, 2),
        "max_per_order",
    )
    .await;
    let reversed = |r: &mut api::CreateTicketTypeRequest| {
        (r.sales_start, r.sales_end) = (Some(in_days(2)), Some(in_days(1)));
    };
    refuse(reversed, "sales_end").await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_changes_the_given_fields_and_is_on_record() {
    let shop = Shop::open().await;
    let event = create(&shop, event_request("Before")).await.unwrap();
    let edit = api::UpdateEventRequest {
        event_id: event.id.clone(),
        expected_version: event.version,
        title: Some("After".to_owned()),
        status: EventStatus::Inactive.into(),
        ..Default::default()
    };
    let edited = update(&shop, edit.clone()).await.unwrap();
    assert_eq!((edited.title.as_str(), edited.version), ("After", 2));
    assert_eq!(
        (edited.status(), &edited.slug),
        (EventStatus::Inactive, &event.slug)
    );
    assert_eq!(
        (edited.location, edited.date_time),
        (event.location, event.date_time)
    );
    refused(update(&shop, edit).await, ErrorReason::VersionMismatch);

    let recorded: (String, String, String) = sqlx::query_as(
        "SELECT before->>'title', after->>'title', actor::text FROM audit_log
         WHERE action = 'event.updated'",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap();
    assert_eq!(
        recorded,
        (
            "Before".to_owned(),
            "After".to_owned(),
            shop.owner.to_string()
        )
    );
    shop.set_event_status(event.id.parse().unwrap(), "cancelled")
        .await;
    let revive = api::UpdateEventRequest {
        event_id: event.id,
        status: EventStatus::Active.into(),
        ..Default::default()
    };
    refused(update(&shop, revive).await, ErrorReason::EventNotActive);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_whose_commit_had_no_answer_is_made_once() {
    let (shop, wire) = Shop::open_behind_a_proxy().await;
    let event = create(&shop, event_request("Before")).await.unwrap();
    let ticket_type = shop.ticket_type(event.id.parse().unwrap(), Some(5)).await;
    let edit = api::UpdateEventRequest {
        event_id: event.id,
        expected_version: 1,
        title: Some("After".to_owned()),
        ..Default::default()
    };
    // One cut for the edit, and one more because the sweeper may meet the first.
    wire.cut_after(Direction::Up, "COMMIT", 2);
    assert_eq!(update(&shop, edit).await.unwrap().version, 2);
    let edit = api::UpdateTicketTypeRequest {
        ticket_type_id: ticket_type.to_string(),
        expected_version: 1,
        category: Some("Pit".to_owned()),
        ..Default::default()
    };
    wire.cut_after(Direction::Up, "COMMIT", 2);
    assert_eq!(update_type(&shop, edit).await.unwrap().version, 2);
    wire.cut_after(Direction::Up, "COMMIT", 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_is_never_less_than_what_is_held_and_sold() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let (order, _) = shop.paying(event, ticket_type, 3).await;
    shop.commit(order).await;
    shop.hold(event, ticket_type, 2).await;
    let stock = |units| api::UpdateTicketTypeRequest {
        ticket_type_id: ticket_type.to_string(),
        total_stock: Some(units),
        ..Default::default()
    };
    refused(
        update_type(&shop, stock(4)).await,
        ErrorReason::CapacityTooSmall,
    );
    let edited = update_type(&shop, stock(5)).await.unwrap();
    assert_eq!(
        (edited.total_stock, edited.remaining, edited.version),
        (Some(5), Some(0), 2)
    );
    let mut stale = stock(6);
    stale.expected_version = 1;
    refused(
        update_type(&shop, stale).await,
        ErrorReason::VersionMismatch,
    );
    let mut limits = stock(6);
    (limits.min_per_order, limits.total_stock) = (Some(11), None);
    refused_field(update_type(&shop, limits).await, "max_per_order");
    let price = api::UpdateTicketTypeRequest {
        ticket_type_id: ticket_type.to_string(),
        price: Some(euro(9900)),
        ..Default::default()
    };
    assert_eq!(
        update_type(&shop, price).await.unwrap().price,
        Some(euro(9900))
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_event_does_not_exist_and_a_superadmin_sees_all() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let id = event.to_string();
    let get = api::GetOwnEventRequest {
        event_id: id.clone(),
    };
    let edit = api::UpdateEventRequest {
        event_id: id.clone(),
        ..Default::default()
    };
    let edit_type = api::UpdateTicketTypeRequest {
        ticket_type_id: ticket_type.to_string(),
        ..Default::default()
    };
    let listed = api::ListOwnEventsRequest::default();
    let mut admin = shop.admin.clone();
    let stranger = format!("admin:{}", UserId::new(&shop.sources));
    let gone = ErrorReason::NotFound;
    refused(admin.get_own_event(by(&stranger, get.clone())).await, gone);
    refused(admin.update_event(by(&stranger, edit.clone())).await, gone);
    refused(
        admin
            .update_ticket_type(by(&stranger, edit_type.clone()))
            .await,
        gone,
    );
    refused(
        admin
            .create_ticket_type(by(&stranger, type_request(event, None)))
            .await,
        gone,
    );
    let seen = admin
        .list_own_events(by(&stranger, listed.clone()))
        .await
        .unwrap()
        .into_inner();
    assert!(seen.events.is_empty());

    let superadmin = format!("superadmin:{}", UserId::new(&shop.sources));
    admin
        .get_own_event(by(&superadmin, get.clone()))
        .await
        .unwrap();
    admin
        .update_ticket_type(by(&superadmin, edit_type))
        .await
        .unwrap();
    let seen = admin
        .list_own_events(by(&superadmin, listed.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(seen.events.len(), 1);
    let own = admin
        .get_own_event(shop.own(get.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((own.event.unwrap().id, own.ticket_types.len()), (id, 1));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_token_nobody_is_an_admin() {
    let shop = Shop::open().await;
    let event = create(&shop, event_request("Mine")).await.unwrap();
    let get = api::GetOwnEventRequest { event_id: event.id };
    let mut admin = shop.admin.clone();
    let unknown = ErrorReason::Unauthenticated;
    let without = Request::new(get.clone());
    refused(admin.get_own_event(without).await, unknown);
    refused(admin.get_own_event(by("nobody", get)).await, unknown);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_events_come_in_pages_newest_first() {
    let shop = Shop::open().await;
    for (title, days) in [("First", 1), ("Third", 3), ("Second", 2)] {
        let mut request = event_request(title);
        request.date_time = Some(in_days(days));
        request.status = EventStatus::Inactive.into();
        create(&shop, request).await.unwrap();
    }
    let mut admin = shop.admin.clone();
    let page = |page_token| {
        shop.own(api::ListOwnEventsRequest {
            page_size: 2,
            page_token,
            ..Default::default()
        })
    };
    let first = admin
        .list_own_events(page(String::new()))
        .await
        .unwrap()
        .into_inner();
    let second = admin
        .list_own_events(page(first.next_page_token))
        .await
        .unwrap()
        .into_inner();
    let titles = |events: Vec<api::Event>| events.into_iter().map(|e| e.title).collect::<Vec<_>>();
    assert_eq!(titles(first.events), ["Third", "Second"]);
    assert_eq!(titles(second.events), ["First"]);
    assert!(second.next_page_token.is_empty());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_changes_have_consecutive_numbers() {
    let shop = Shop::open().await;
    let tasks = (0..16).map(|n| {
        let request = shop.own(event_request(&format!("Event {n}")));
        let mut admin = shop.admin.clone();
        tokio::spawn(async move { admin.create_event(request).await.map(|_| ()) })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    let last: i64 = sqlx::query_scalar("SELECT MAX(seq) FROM event_changes")
        .fetch_one(&shop.db)
        .await
        .unwrap();
    assert_eq!(last, 16);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_events_are_found_by_words_of_title_and_place() {
    let shop = Shop::open().await;
    for title in ["Nacht 100%", "Tag", "Nachtmusik"] {
        let request = event_request(title);
        create(&shop, request).await.unwrap();
    }
    let find = async |words: &str| {
        let request = shop.own(api::ListOwnEventsRequest {
            query: words.to_owned(),
            ..Default::default()
        });
        let listed = shop.admin.clone().list_own_events(request).await;
        let mut titles: Vec<String> = listed?
            .into_inner()
            .events
            .into_iter()
            .map(|e| e.title)
            .collect();
        titles.sort();
        Ok::<_, Status>(titles)
    };
    assert_eq!(find("nACHT").await.unwrap(), ["Nacht 100%", "Nachtmusik"]);
    assert_eq!(find("0% nacht").await.unwrap(), ["Nacht 100%"]);
    assert!(find("nacht_").await.unwrap().is_empty(), "taken literally");
    assert!(find("nacht tag").await.unwrap().is_empty(), "all of them");
    assert_eq!(find(" ").await.unwrap().len(), 3);
    refused_field(find(&"x".repeat(201)).await, "query");
    shop.close().await;
}
