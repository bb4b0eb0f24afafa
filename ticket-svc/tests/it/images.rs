//! The picture of an event.

use base::{EventId, UserId};
use kit::ErrorReason;
use proto::ticket::{self as api, EventImage};
use tonic::Status;

use crate::shop::{Shop, by, in_days, refused, refused_field};

fn picture(digit: &str) -> EventImage {
    EventImage {
        key: digit.repeat(64),
        width: 1920,
        height: 1080,
        alt: "The stage at night".to_owned(),
    }
}

fn request(event: EventId, image: Option<EventImage>) -> api::SetEventImageRequest {
    api::SetEventImageRequest {
        event_id: event.to_string(),
        image,
        ..Default::default()
    }
}

async fn set(shop: &Shop, wish: api::SetEventImageRequest) -> Result<api::Event, Status> {
    let set = shop.admin.clone().set_event_image(shop.own(wish)).await?;
    Ok(set.into_inner().event.unwrap())
}

async fn seen_by_guests(shop: &Shop, event: EventId) -> Option<EventImage> {
    let request = api::GetEventRequest {
        id_or_slug: event.to_string(),
    };
    let seen = shop.catalog.clone().get_event(request).await.unwrap();
    seen.into_inner().event.unwrap().image
}

async fn changes(shop: &Shop, event: EventId) -> i64 {
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM event_changes WHERE event_id = $1 AND change = 'event.image_set'",
    )
    .bind(event.uuid())
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_set_replaced_and_taken_away() {
    let shop = Shop::open().await;
    let (event, _) = shop.on_sale(5).await;
    assert_eq!(seen_by_guests(&shop, event).await, None);
    let before = shop.own_event(event).await.version;
    let first = set(&shop, request(event, Some(picture("a"))))
        .await
        .unwrap();
    assert_eq!(
        (first.version, first.image),
        (before + 1, Some(picture("a")))
    );
    assert_eq!(seen_by_guests(&shop, event).await, Some(picture("a")));
    let second = set(&shop, request(event, Some(picture("b"))))
        .await
        .unwrap();
    assert_eq!(second.image, Some(picture("b")));

    let renamed = shop
        .update_event(api::UpdateEventRequest {
            event_id: event.to_string(),
            image_alt: Some("The stage by day".to_owned()),
            ..Default::default()
        })
        .await;
    let image = renamed.image.unwrap();
    assert_eq!(
        (image.key, image.alt.as_str()),
        ("b".repeat(64), "The stage by day")
    );

    let bare = set(&shop, request(event, None)).await.unwrap();
    assert_eq!(bare.image, None);
    assert_eq!(seen_by_guests(&shop, event).await, None);
    // There is nothing more to take away.
    let again = set(&shop, request(event, None)).await.unwrap();
    assert_eq!(again.version, bare.version);
    assert_eq!(changes(&shop, event).await, 3);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_changes_nothing_and_refuses_what_the_change_would() {
    let shop = Shop::open().await;
    let (event, _) = shop.on_sale(5).await;
    let before = shop.own_event(event).await;
    let check = |expected_version| api::SetEventImageRequest {
        only_check: true,
        expected_version,
        ..request(event, Some(picture("a")))
    };
    let checked = set(&shop, check(0)).await.unwrap();
    assert_eq!(checked, before);
    assert_eq!(
        (shop.own_event(event).await, changes(&shop, event).await),
        (before.clone(), 0)
    );
    let stale = check(before.version + 1);
    refused(
        set(&shop, stale.clone()).await,
        ErrorReason::VersionMismatch,
    );
    let stale = api::SetEventImageRequest {
        only_check: false,
        ..stale
    };
    refused(set(&shop, stale).await, ErrorReason::VersionMismatch);

    let stranger = format!("admin:{}", UserId::new(&shop.sources));
    for only_check in [true, false] {
        let wish = api::SetEventImageRequest {
            only_check,
            ..check(0)
        };
        let foreign = shop
            .admin
            .clone()
            .set_event_image(by(&stranger, wish))
            .await;
        refused(foreign, ErrorReason::NotFound);
    }
    let put_away = shop.own(api::ArchiveEventRequest {
        event_id: event.to_string(),
        archived: true,
        ..Default::default()
    });
    shop.admin.clone().archive_event(put_away).await.unwrap();
    refused(set(&shop, check(0)).await, ErrorReason::EventArchived);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_whole_or_refused() {
    let shop = Shop::open().await;
    let (event, _) = shop.on_sale(5).await;
    let bad = [
        (
            "image.key",
            EventImage {
                key: "../secrets".to_owned(),
                ..picture("a")
            },
        ),
        (
            "image.key",
            EventImage {
                key: "A".repeat(64),
                ..picture("a")
            },
        ),
        (
            "image.width",
            EventImage {
                width: 0,
                ..picture("a")
            },
        ),
        (
            "image.height",
            EventImage {
                height: 10_001,
                ..picture("a")
            },
        ),
        (
            "alt",
            EventImage {
                alt: "x".repeat(251),
                ..picture("a")
            },
        ),
    ];
    for (field, image) in bad {
        refused_field(set(&shop, request(event, Some(image))).await, field);
    }
    let rename = shop.own(api::UpdateEventRequest {
        event_id: event.to_string(),
        image_alt: Some("Nothing to be seen".to_owned()),
        ..Default::default()
    });
    refused_field(shop.admin.clone().update_event(rename).await, "image_alt");
    assert_eq!(changes(&shop, event).await, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_same_picture() {
    let shop = Shop::open().await;
    let (event, _) = shop.on_sale(5).await;
    set(&shop, request(event, Some(picture("c"))))
        .await
        .unwrap();
    let copy = shop.own(api::CloneEventRequest {
        event_id: event.to_string(),
        date_time: Some(in_days(90)),
        ..Default::default()
    });
    let copy = shop.admin.clone().clone_event(copy).await.unwrap();
    let copy = copy.into_inner().event.unwrap();
    assert_eq!((copy.image, copy.version), (Some(picture("c")), 1));
    shop.close().await;
}
