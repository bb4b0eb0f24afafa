//! The life of an event: draft, on sale, paused, postponed, archived, copied, deleted.

use base::{EventId, UserId};
use kit::ErrorReason;
use proto::ticket::{self as api, EventStatus, OrderAnswer};
use testkit::{Direction, keys};
use tonic::Status;

use crate::shop::{Shop, by, event_request, in_days, refused, refused_field, type_request};

async fn postpone(
    shop: &Shop,
    event: EventId,
    date_time: prost_types::Timestamp,
    expected_version: i64,
) -> Result<api::Event, Status> {
    let request = shop.own(api::PostponeEventRequest {
        event_id: event.to_string(),
        expected_version,
        date_time: Some(date_time),
        reason: String::new(),
    });
    let postponed = shop.admin.clone().postpone_event(request).await?;
    Ok(postponed.into_inner().event.unwrap())
}

async fn archive(shop: &Shop, event: EventId, archived: bool) -> Result<api::Event, Status> {
    let request = shop.own(api::ArchiveEventRequest {
        event_id: event.to_string(),
        expected_version: 0,
        archived,
    });
    let put = shop.admin.clone().archive_event(request).await?;
    Ok(put.into_inner().event.unwrap())
}

async fn delete(shop: &Shop, event: EventId) -> Result<(), Status> {
    let request = shop.own(api::DeleteEventRequest {
        event_id: event.to_string(),
        expected_version: 0,
    });
    shop.admin.clone().delete_event(request).await.map(|_| ())
}

async fn delete_type(shop: &Shop, id: &str) -> Result<(), Status> {
    let request = shop.own(api::DeleteTicketTypeRequest {
        ticket_type_id: id.to_owned(),
        expected_version: 0,
    });
    let deleted = shop.admin.clone().delete_ticket_type(request).await;
    deleted.map(|_| ())
}

async fn set_status(shop: &Shop, event: EventId, status: EventStatus) -> Result<(), Status> {
    let request = shop.own(api::UpdateEventRequest {
        event_id: event.to_string(),
        status: status.into(),
        ..Default::default()
    });
    shop.admin.clone().update_event(request).await.map(|_| ())
}

async fn own_titles(shop: &Shop, archived: bool) -> Vec<String> {
    let request = shop.own(api::ListOwnEventsRequest {
        archived,
        ..Default::default()
    });
    let listed = shop.admin.clone().list_own_events(request).await.unwrap();
    let events = listed.into_inner().events;
    events.into_iter().map(|event| event.title).collect()
}

async fn is_shown_to_guests(shop: &Shop, event: EventId) -> bool {
    let request = api::GetEventRequest {
        id_or_slug: event.to_string(),
    };
    let one = shop.catalog.clone().get_event(request).await.is_ok();
    let all = api::ListEventsRequest::default();
    let listed = shop.catalog.clone().list_events(all).await.unwrap();
    let listed = listed.into_inner().events;
    let all = listed.iter().any(|listed| listed.id == event.to_string());
    assert_eq!(one, all);
    one
}

async fn actions(shop: &Shop, event: EventId) -> Vec<String> {
    sqlx::query_scalar("SELECT change FROM event_changes WHERE event_id = $1 ORDER BY seq")
        .bind(event.uuid())
        .fetch_all(&shop.db)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_event_sells_nothing_new_and_keeps_what_was_sold() {
    let shop = Shop::open().await;
    let (event, id) = shop.on_sale(10).await;
    let held = shop.hold(event, id, 1).await;
    let (order, _) = shop.paying(event, id, 2).await;
    set_status(&shop, event, EventStatus::Inactive)
        .await
        .unwrap();
    assert!(!is_shown_to_guests(&shop, event).await);
    let key = keys::idempotency_key();
    let not_active = ErrorReason::EventNotActive;
    refused(shop.try_hold(event, &[(id, 1)], &key).await, not_active);
    refused(shop.try_begin(shop.order(), &held).await, not_active);
    // Whoever had begun to pay gets the tickets.
    assert_eq!(shop.commit(order).await.answer(), OrderAnswer::Committed);
    set_status(&shop, event, EventStatus::Active).await.unwrap();
    assert!(is_shown_to_guests(&shop, event).await);
    shop.try_begin(shop.order(), &held).await.unwrap();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postponed_event_keeps_its_first_date_and_its_tickets() {
    let shop = Shop::open().await;
    let (event, id) = shop.on_sale(10).await;
    let order = shop.bought(event, id, 2).await;
    let first = shop.own_event(event).await.date_time;
    let later = in_days(90);
    let postponed = postpone(&shop, event, later, 1).await.unwrap();
    assert_eq!(postponed.previous_date_time, first);
    assert_eq!(postponed.date_time.as_ref().unwrap().seconds, later.seconds);
    assert_eq!(
        (postponed.version, postponed.status()),
        (2, EventStatus::Active)
    );
    // A repeat, with the version of before, changes nothing.
    assert_eq!(postpone(&shop, event, later, 1).await.unwrap(), postponed);
    let again = postpone(&shop, event, in_days(120), 0).await.unwrap();
    assert_eq!((again.version, again.previous_date_time), (3, first));
    assert!(
        shop.tickets(order).await.iter().all(|ticket| {
            ticket.status() == api::TicketStatus::Valid && !ticket.code.is_empty()
        })
    );
    assert_eq!(shop.counters(id).await, (0, 2));
    let all = actions(&shop, event).await;
    assert_eq!(all[2..], ["event.postponed", "event.postponed"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_without_an_end_follows_the_new_date() {
    let shop = Shop::open().await;
    let (event, id) = shop.on_sale(10).await;
    sqlx::query("UPDATE events SET date_time = clock_timestamp() WHERE id = $1")
        .bind(event.uuid())
        .execute(&shop.db)
        .await
        .unwrap();
    let hold = async || {
        let key = keys::idempotency_key();
        shop.try_hold(event, &[(id, 1)], &key).await
    };
    refused(hold().await, ErrorReason::SalesEnded);
    postpone(&shop, event, in_days(1), 0).await.unwrap();
    hold().await.unwrap();
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_postponed() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let now = shop.own_event(event).await.date_time.unwrap();
    refused_field(postpone(&shop, event, now, 0).await, "date_time");
    refused_field(postpone(&shop, event, in_days(-1), 0).await, "date_time");
    let stale = postpone(&shop, event, in_days(60), 7).await;
    refused(stale, ErrorReason::VersionMismatch);
    let dateless = api::PostponeEventRequest {
        event_id: event.to_string(),
        ..Default::default()
    };
    let mut admin = shop.admin.clone();
    let refusal = admin.postpone_event(shop.own(dateless.clone())).await;
    refused_field(refusal, "date_time");
    let stranger = format!("admin:{}", UserId::new(&shop.sources));
    let foreign = api::PostponeEventRequest {
        date_time: Some(in_days(60)),
        ..dateless
    };
    let refusal = admin.postpone_event(by(&stranger, foreign)).await;
    refused(refusal, ErrorReason::NotFound);
    shop.cancel_event(event, "").await;
    let cancelled = postpone(&shop, event, in_days(60), 0).await;
    refused(cancelled, ErrorReason::EventNotActive);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_event_is_out_of_every_list_and_nothing_of_it_changes() {
    let shop = Shop::open().await;
    let (event, id) = shop.on_sale(10).await;
    let (order, _) = shop.paying(event, id, 1).await;
    let archived = archive(&shop, event, true).await.unwrap();
    assert!(archived.archived_at.is_some());
    assert_eq!(
        (archived.version, archived.status()),
        (2, EventStatus::Inactive)
    );
    assert_eq!(archive(&shop, event, true).await.unwrap(), archived);
    assert!(!is_shown_to_guests(&shop, event).await);
    assert!(own_titles(&shop, false).await.is_empty());
    assert_eq!(own_titles(&shop, true).await.len(), 1);

    let away = ErrorReason::EventArchived;
    refused(set_status(&shop, event, EventStatus::Active).await, away);
    refused(postpone(&shop, event, in_days(60), 0).await, away);
    refused(delete_type(&shop, &id.to_string()).await, away);
    let mut admin = shop.admin.clone();
    let new_type = shop.own(type_request(event, None));
    refused(admin.create_ticket_type(new_type).await, away);
    let edit = shop.own(api::UpdateTicketTypeRequest {
        ticket_type_id: id.to_string(),
        ..Default::default()
    });
    refused(admin.update_ticket_type(edit).await, away);
    let pool = shop.own(api::CreatePoolRequest {
        event_id: event.to_string(),
        name: "Hall".to_owned(),
        ..Default::default()
    });
    refused(admin.create_pool(pool).await, away);
    let cancel = shop.own(api::CancelEventRequest {
        event_id: event.to_string(),
        ..Default::default()
    });
    refused(admin.cancel_event(cancel).await, away);
    let key = keys::idempotency_key();
    let hold = shop.try_hold(event, &[(id, 1)], &key).await;
    refused(hold, ErrorReason::EventNotActive);
    // What was paid for is still sold, and found.
    assert_eq!(shop.commit(order).await.answer(), OrderAnswer::Committed);

    let back = archive(&shop, event, false).await.unwrap();
    assert_eq!(
        (back.archived_at, back.status()),
        (None, EventStatus::Inactive)
    );
    set_status(&shop, event, EventStatus::Active).await.unwrap();
    shop.hold(event, id, 1).await;
    let all = actions(&shop, event).await;
    assert_eq!(all[2..4], ["event.archived", "event.restored"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_deleted_with_all_its_parts() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let pool = shop.own(api::CreatePoolRequest {
        event_id: event.to_string(),
        name: "Hall".to_owned(),
        capacity: Some(10),
        blocked: 2,
        idempotency_key: String::new(),
    });
    let pool = shop.admin.clone().create_pool(pool).await.unwrap();
    let mut request = type_request(event, Some(5));
    request.blocked = 1;
    request.pool_ids = vec![pool.into_inner().pool.unwrap().id];
    let kind = shop.create_type(request).await.unwrap();
    let other = shop.ticket_type(event, Some(5)).await;

    let stranger = format!("admin:{}", UserId::new(&shop.sources));
    let foreign = api::DeleteEventRequest {
        event_id: event.to_string(),
        expected_version: 0,
    };
    let mut admin = shop.admin.clone();
    let refusal = admin.delete_event(by(&stranger, foreign.clone())).await;
    refused(refusal, ErrorReason::NotFound);
    let stale = api::DeleteEventRequest {
        expected_version: 9,
        ..foreign
    };
    let refusal = admin.delete_event(shop.own(stale)).await;
    refused(refusal, ErrorReason::VersionMismatch);

    delete_type(&shop, &kind.id).await.unwrap();
    let gone = ErrorReason::NotFound;
    refused(delete_type(&shop, &kind.id).await, gone);
    let key = keys::idempotency_key();
    let deleted = [(kind.id.parse().unwrap(), 1)];
    let hold = shop.try_hold(event, &deleted, &key).await;
    refused(hold, ErrorReason::InvalidRequest);
    delete(&shop, event).await.unwrap();
    refused(delete(&shop, event).await, gone);
    let key = keys::idempotency_key();
    refused(shop.try_hold(event, &[(other, 1)], &key).await, gone);

    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM pools) + (SELECT COUNT(*) FROM ticket_types)
              + (SELECT COUNT(*) FROM event_grants) + (SELECT COUNT(*) FROM inventory_ledger)
              + (SELECT COUNT(*) FROM ticket_type_pools)",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap();
    assert_eq!(left, 0);
    // The feed tells it, also to those who read from the beginning.
    let request = api::ListEventChangesRequest::default();
    let feed = shop.changes.clone().list_event_changes(request).await;
    let feed = feed.unwrap().into_inner().changes;
    let last = feed.last().unwrap();
    assert_eq!((feed.len(), last.change.as_str()), (6, "event.deleted"));
    assert_eq!(last.event_id, event.to_string());
    let before: (String, Option<String>) = sqlx::query_as(
        "SELECT before->>'title', after->>'title' FROM audit_log WHERE action = 'event.deleted'",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap();
    assert_eq!(before, ("Night of the Cello".to_owned(), None));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_or_sold_is_not_deleted() {
    let shop = Shop::open().await;
    let has_sales = ErrorReason::HasSales;
    // Held, also if it was given back.
    let (event, id) = shop.on_sale(10).await;
    let held = shop.hold(event, id, 1).await;
    refused(delete(&shop, event).await, has_sales);
    refused(delete_type(&shop, &id.to_string()).await, has_sales);
    shop.release_hold(&held).await.unwrap();
    refused(delete(&shop, event).await, has_sales);
    refused(delete_type(&shop, &id.to_string()).await, has_sales);
    let untouched = shop.ticket_type(event, Some(5)).await;
    delete_type(&shop, &untouched.to_string()).await.unwrap();
    // Sold.
    let (event, id) = shop.on_sale(10).await;
    let order = shop.bought(event, id, 1).await;
    shop.cancel_event(event, "").await;
    refused(delete(&shop, event).await, has_sales);
    assert_eq!(shop.tickets(order).await.len(), 1);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hold_and_a_deletion_at_once_leave_one_of_them() {
    let shop = Shop::open().await;
    let (mut deleted, mut held) = (0, 0);
    for round in 0..20 {
        let (event, id) = shop.on_sale(10).await;
        let hold = async {
            // The deletion has more to do before it counts.
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            shop.try_hold(event, &[(id, 1)], &keys::idempotency_key())
                .await
        };
        let (hold, deletion) = tokio::join!(hold, delete(&shop, event));
        match (hold, deletion) {
            (Ok(_), refusal) => {
                refused(refusal, ErrorReason::HasSales);
                assert_eq!(shop.counters(id).await, (1, 0));
                held += 1;
            }
            (refusal, Ok(())) => {
                refused(refusal, ErrorReason::NotFound);
                deleted += 1;
            }
            neither => panic!("{neither:?}"),
        }
    }
    assert_eq!(deleted + held, 20);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_whose_commit_had_no_answer_is_made_once() {
    let (shop, wire) = Shop::open_behind_a_proxy().await;
    let (event, id) = shop.on_sale(10).await;
    // One cut for the call, and one more because the sweeper may meet the first.
    wire.cut_after(Direction::Up, "COMMIT", 2);
    delete_type(&shop, &id.to_string()).await.unwrap();
    wire.cut_after(Direction::Up, "COMMIT", 2);
    delete(&shop, event).await.unwrap();
    wire.cut_after(Direction::Up, "COMMIT", 0);
    shop.close().await;
}

/// An event with terms, a shared pool, and a type that draws from it, of which two are held.
async fn concert_to_copy(shop: &Shop) -> (api::Event, api::Pool, api::TicketType) {
    let mut request = event_request("Night of the Cello");
    request.payment_providers = vec!["manual".to_owned()];
    request.manual_payment_days = 3;
    request.cancellation = Some(api::CancellationRule {
        allowed: true,
        until_hours: 72,
        fee_ppm: 0,
    });
    let source = shop.admin.clone().create_event(shop.own(request)).await;
    let source = source.unwrap().into_inner().event.unwrap();
    let event: EventId = source.id.parse().unwrap();
    let hall = shop.own(api::CreatePoolRequest {
        event_id: source.id.clone(),
        name: "Hall".to_owned(),
        capacity: Some(8),
        blocked: 1,
        idempotency_key: String::new(),
    });
    let hall = shop.admin.clone().create_pool(hall).await.unwrap();
    let hall = hall.into_inner().pool.unwrap();
    let mut request = type_request(event, Some(5));
    request.blocked = 2;
    request.max_per_guest = Some(4);
    request.tax_rate_ppm = 70_000;
    request.pool_ids = vec![hall.id.clone()];
    let kind = shop.create_type(request).await.unwrap();
    shop.hold(event, kind.id.parse().unwrap(), 2).await;
    (source, hall, kind)
}

fn copy_request(source: &api::Event) -> api::CloneEventRequest {
    api::CloneEventRequest {
        event_id: source.id.clone(),
        date_time: Some(in_days(60)),
        title: String::new(),
        idempotency_key: keys::idempotency_key(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_everything_but_the_sales() {
    let shop = Shop::open().await;
    let (source, hall, kind) = concert_to_copy(&shop).await;
    let request = copy_request(&source);
    let mut admin = shop.admin.clone();
    let copy = admin.clone_event(shop.own(request)).await.unwrap();
    let copy = copy.into_inner();
    let made = copy.event.as_ref().unwrap();
    let expected = api::Event {
        id: made.id.clone(),
        slug: made.slug.clone(),
        date_time: made.date_time,
        status: EventStatus::Inactive.into(),
        availability: made.availability,
        price_from: made.price_from.clone(),
        ..source.clone()
    };
    assert_eq!(made, &expected);
    assert_ne!((&made.id, &made.slug), (&source.id, &source.slug));
    let own = &copy.ticket_types[0];
    let expected = api::TicketType {
        id: own.id.clone(),
        event_id: made.id.clone(),
        pool_ids: own.pool_ids.clone(),
        remaining: Some(3),
        availability: own.availability,
        held: 0,
        ..kind.clone()
    };
    assert_eq!(own, &expected);
    let pools = shop.own(api::ListPoolsRequest {
        event_id: made.id.clone(),
    });
    let pools = admin.list_pools(pools).await.unwrap().into_inner().pools;
    assert_eq!(own.pool_ids, [pools[0].id.clone()]);
    assert_ne!(pools[0].id, hall.id);
    assert_eq!((pools[0].held, pools[0].remaining), (0, Some(7)));

    let copied: EventId = made.id.parse().unwrap();
    let all = actions(&shop, copied).await;
    assert_eq!(all, ["event.cloned", "pool.created", "ticket_type.created"]);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_once_per_key_and_by_who_may_see_it() {
    let shop = Shop::open().await;
    let (source, _, _) = concert_to_copy(&shop).await;
    let request = copy_request(&source);
    let mut admin = shop.admin.clone();
    let copy = admin.clone_event(shop.own(request.clone())).await.unwrap();
    let again = admin.clone_event(shop.own(request.clone())).await.unwrap();
    assert_eq!(again.into_inner(), copy.into_inner());
    let mut renamed = request.clone();
    renamed.title = "Another night".to_owned();
    refused(
        admin.clone_event(shop.own(renamed.clone())).await,
        ErrorReason::IdempotencyKeyReused,
    );
    renamed.idempotency_key.clear();
    let renamed = admin.clone_event(shop.own(renamed)).await.unwrap();
    let renamed = renamed.into_inner().event.unwrap();
    assert_eq!(renamed.title, "Another night");
    assert_eq!(renamed.slug, "another-night");
    let stranger = format!("admin:{}", UserId::new(&shop.sources));
    let foreign = admin.clone_event(by(&stranger, request)).await;
    refused(foreign, ErrorReason::NotFound);
    shop.close().await;
}
