//! Stock that ticket types share, and stock that the promoter keeps back.

use base::{EventId, TicketTypeId, UserId};
use kit::ErrorReason;
use proto::ticket::{self as api, Availability, OrderAnswer};
use testkit::keys;
use tonic::Status;

use crate::shop::{Shop, by, fact, refused, refused_field, type_request};

async fn create(
    shop: &Shop,
    event: EventId,
    capacity: Option<i64>,
    blocked: i64,
) -> Result<api::Pool, Status> {
    let request = api::CreatePoolRequest {
        event_id: event.to_string(),
        name: "The whole hall".to_owned(),
        capacity,
        blocked,
        idempotency_key: String::new(),
    };
    let made = shop.admin.clone().create_pool(shop.own(request)).await?;
    Ok(made.into_inner().pool.unwrap())
}

async fn update(shop: &Shop, edit: api::UpdatePoolRequest) -> Result<api::Pool, Status> {
    let edited = shop.admin.clone().update_pool(shop.own(edit)).await?;
    Ok(edited.into_inner().pool.unwrap())
}

async fn list(shop: &Shop, event: EventId) -> Vec<api::Pool> {
    let request = shop.own(api::ListPoolsRequest {
        event_id: event.to_string(),
    });
    let found = shop.admin.clone().list_pools(request).await;
    found.unwrap().into_inner().pools
}

fn edit(pool: &api::Pool) -> api::UpdatePoolRequest {
    api::UpdatePoolRequest {
        pool_id: pool.id.clone(),
        ..Default::default()
    }
}

/// A ticket type that draws from a shared pool besides its own.
async fn drawing(shop: &Shop, event: EventId, stock: i64, from: &api::Pool) -> TicketTypeId {
    let mut request = type_request(event, Some(stock));
    request.pool_ids = vec![from.id.clone()];
    let made = shop.create_type(request).await.unwrap();
    assert_eq!(made.pool_ids, std::slice::from_ref(&from.id));
    made.id.parse().unwrap()
}

async fn hold(shop: &Shop, event: EventId, id: TicketTypeId, units: u32) -> Result<(), Status> {
    let key = keys::idempotency_key();
    shop.try_hold(event, &[(id, units)], &key).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_share_a_hall_fill_it_together() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let hall = create(&shop, event, Some(5), 0).await.unwrap();
    let standing = drawing(&shop, event, 4, &hall).await;
    let seated = drawing(&shop, event, 4, &hall).await;
    let order = shop.bought(event, standing, 3).await;
    hold(&shop, event, seated, 2).await.unwrap();
    let refusal = hold(&shop, event, seated, 1).await;
    let failure = refused(refusal, ErrorReason::HeldByOthers);
    assert_eq!(fact(&failure, "ticket_type_id"), Some(&*seated.to_string()));
    let listed = list(&shop, event).await;
    assert_eq!(listed.len(), 1, "own pools are told with their types");
    let (all, told) = (&listed[0], (listed[0].held, listed[0].sold));
    assert_eq!((told, all.remaining), ((2, 3), Some(0)));
    let mut both = [standing.to_string(), seated.to_string()];
    both.sort();
    assert_eq!(all.ticket_type_ids, both);
    // What a refund gives back is free in the hall too.
    let refund = shop.refund();
    shop.void(order, refund, &[]).await.unwrap();
    hold(&shop, event, seated, 2).await.unwrap();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_back_is_not_sold() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let mut request = type_request(event, Some(5));
    request.blocked = 3;
    let kind = shop.create_type(request).await.unwrap();
    assert_eq!((kind.blocked, kind.remaining), (3, Some(2)));
    let id: TicketTypeId = kind.id.parse().unwrap();
    hold(&shop, event, id, 2).await.unwrap();
    refused(hold(&shop, event, id, 1).await, ErrorReason::HeldByOthers);
    // Neither by a late payment.
    let (order, _) = shop
        .paying(event, shop.ticket_type(event, Some(1)).await, 1)
        .await;
    let blocked = |units, id: &str| api::UpdateTicketTypeRequest {
        ticket_type_id: id.to_owned(),
        blocked: Some(units),
        ..Default::default()
    };
    shop.release_order(order).await;
    let other = shop.own_event(event).await;
    assert_eq!(other.availability(), Availability::OnSale);
    let types = shop
        .admin
        .clone()
        .get_own_event(shop.own(api::GetOwnEventRequest {
            event_id: event.to_string(),
        }))
        .await
        .unwrap()
        .into_inner()
        .ticket_types;
    shop.update_type(blocked(1, &types[1].id)).await.unwrap();
    assert_eq!(shop.commit(order).await.answer(), OrderAnswer::Refused);
    // More than is left cannot be kept back; given free it is sold.
    refused(
        shop.update_type(blocked(4, &kind.id)).await,
        ErrorReason::CapacityTooSmall,
    );
    let freed = shop.update_type(blocked(1, &kind.id)).await.unwrap();
    assert_eq!(
        (freed.blocked, freed.held, freed.remaining),
        (1, 2, Some(2))
    );
    hold(&shop, event, id, 2).await.unwrap();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn capacity_is_never_less_than_held_and_sold_and_blocked() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let hall = create(&shop, event, Some(10), 2).await.unwrap();
    assert_eq!((hall.blocked, hall.remaining), (2, Some(8)));
    let id = drawing(&shop, event, 10, &hall).await;
    shop.bought(event, id, 3).await;
    hold(&shop, event, id, 1).await.unwrap();
    let capacity = |units| api::UpdatePoolRequest {
        capacity: Some(units),
        ..edit(&hall)
    };
    let small = ErrorReason::CapacityTooSmall;
    refused(update(&shop, capacity(5)).await, small);
    let edited = update(&shop, capacity(6)).await.unwrap();
    assert_eq!((edited.remaining, edited.version), (Some(0), 3));
    refused(create(&shop, event, Some(1), 2).await, small);
    // Both at once, where one alone would not do.
    let mut both = capacity(4);
    both.blocked = Some(0);
    update(&shop, both).await.unwrap();
    let of_type = api::UpdateTicketTypeRequest {
        ticket_type_id: id.to_string(),
        total_stock: Some(6),
        blocked: Some(3),
        ..Default::default()
    };
    refused(shop.update_type(of_type.clone()).await, small);
    let fits = api::UpdateTicketTypeRequest {
        total_stock: Some(7),
        ..of_type
    };
    let edited = shop.update_type(fits).await.unwrap();
    assert_eq!((edited.held, edited.sold, edited.blocked), (1, 3, 3));
    let unlimited = api::UpdatePoolRequest {
        unlimited: true,
        ..edit(&hall)
    };
    let edited = update(&shop, unlimited).await.unwrap();
    assert_eq!((edited.capacity, edited.remaining), (None, None));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn edits_in_the_middle_of_a_sale_lose_nothing() {
    let shop = std::sync::Arc::new(Shop::open().await);
    let (event, id) = shop.on_sale(40).await;
    let buyers: Vec<_> = (0..40)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move { hold(&shop, event, id, 1).await.is_ok() })
        })
        .collect();
    for units in [10, 0, 20, 5, 15, 0, 12] {
        let edit = api::UpdateTicketTypeRequest {
            ticket_type_id: id.to_string(),
            blocked: Some(units),
            ..Default::default()
        };
        match shop.update_type(edit).await {
            Ok(edited) => assert_eq!(edited.blocked, units),
            refusal => {
                refused(refusal, ErrorReason::CapacityTooSmall);
            }
        }
    }
    let mut held = 0;
    for buyer in buyers {
        held += i64::from(buyer.await.unwrap());
    }
    assert_eq!(shop.counters(id).await, (held, 0));
    std::sync::Arc::into_inner(shop).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_of_a_type_are_chosen_before_its_first_hold() {
    let shop = Shop::open().await;
    let (event, id) = shop.on_sale(10).await;
    let hall = create(&shop, event, Some(5), 0).await.unwrap();
    let draws = |ids: &[&str]| api::UpdateTicketTypeRequest {
        ticket_type_id: id.to_string(),
        pools: Some(api::PoolIds {
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        }),
        ..Default::default()
    };
    let attached = shop.update_type(draws(&[&hall.id])).await.unwrap();
    assert_eq!((attached.remaining, attached.version), (Some(5), 2));
    let detached = shop.update_type(draws(&[])).await.unwrap();
    assert_eq!((detached.remaining, detached.version), (Some(10), 3));
    let held = shop.hold(event, id, 1).await;
    refused(
        shop.update_type(draws(&[&hall.id])).await,
        ErrorReason::HasSales,
    );
    // Saying what is so is no change.
    shop.update_type(draws(&[])).await.unwrap();
    shop.release_hold(&held).await.unwrap();

    let other = shop.event().await;
    let foreign = create(&shop, other, None, 0).await.unwrap();
    refused_field(shop.update_type(draws(&[&foreign.id])).await, "pool_ids");
    let twice = draws(&[&hall.id, &hall.id]);
    refused_field(shop.update_type(twice).await, "pool_ids[1]");
    refused_field(shop.update_type(draws(&["x"])).await, "pool_ids[0]");
    let many: Vec<&str> = vec![&hall.id; 9];
    refused_field(shop.update_type(draws(&many)).await, "pool_ids");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_are_named_versioned_on_record_and_foreign_ones_absent() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let request = api::CreatePoolRequest {
        event_id: event.to_string(),
        name: "Balcony".to_owned(),
        capacity: Some(5),
        blocked: 0,
        idempotency_key: keys::idempotency_key(),
    };
    let mut admin = shop.admin.clone();
    let made = admin.create_pool(shop.own(request.clone())).await.unwrap();
    let made = made.into_inner().pool.unwrap();
    let again = admin.create_pool(shop.own(request.clone())).await.unwrap();
    assert_eq!(again.into_inner().pool.unwrap(), made);
    let other = api::CreatePoolRequest {
        capacity: None,
        ..request.clone()
    };
    let reused = admin.create_pool(shop.own(other)).await;
    refused(reused, ErrorReason::IdempotencyKeyReused);
    let nameless = api::CreatePoolRequest {
        name: String::new(),
        ..request.clone()
    };
    refused_field(admin.create_pool(shop.own(nameless)).await, "name");
    let negative = api::CreatePoolRequest {
        blocked: -1,
        ..request
    };
    refused_field(admin.create_pool(shop.own(negative)).await, "blocked");

    let mut named = edit(&made);
    (named.name, named.expected_version) = (Some("Gallery".to_owned()), 1);
    let renamed = update(&shop, named.clone()).await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.version), ("Gallery", 2));
    refused(update(&shop, named).await, ErrorReason::VersionMismatch);
    let stranger = format!("admin:{}", UserId::new(&shop.sources));
    let gone = ErrorReason::NotFound;
    refused(admin.update_pool(by(&stranger, edit(&made))).await, gone);
    let of = api::ListPoolsRequest {
        event_id: event.to_string(),
    };
    refused(admin.list_pools(by(&stranger, of)).await, gone);
    // The own pool of a type is changed with the type.
    let id = shop.ticket_type(event, Some(5)).await;
    let own: String = sqlx::query_scalar("SELECT pool_id::text FROM ticket_types WHERE id = $1")
        .bind(id.uuid())
        .fetch_one(&shop.db)
        .await
        .unwrap();
    let own = api::UpdatePoolRequest {
        pool_id: own,
        ..Default::default()
    };
    refused(update(&shop, own).await, gone);
    let recorded: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT action, after->>'name' FROM audit_log WHERE action LIKE 'pool.%' ORDER BY at",
    )
    .fetch_all(&shop.db)
    .await
    .unwrap();
    let expected = [("pool.created", "Balcony"), ("pool.updated", "Gallery")];
    let expected = expected.map(|(action, name)| (action.to_owned(), Some(name.to_owned())));
    assert_eq!(recorded, expected);
    shop.close().await;
}
