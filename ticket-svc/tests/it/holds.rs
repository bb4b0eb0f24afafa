//! Stock for a guest who is choosing.

use base::{EventId, TicketTypeId};
use kit::ErrorReason;
use proto::ticket::{self as api, HoldStatus};
use testkit::keys;

use crate::shop::{Held, Shop, euro, fact, in_days, refused, refused_field, type_request};

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_has_the_price_of_its_moment_and_a_secret() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, None).await;
    let key = keys::idempotency_key();
    let answer = shop
        .try_hold(event, &[(stalls, 2), (balcony, 1)], &key)
        .await
        .unwrap();
    let hold = answer.hold.clone().unwrap();
    assert_eq!(
        (hold.status(), hold.total),
        (HoldStatus::Active, Some(euro(13_500)))
    );
    assert_eq!(hold.lines.len(), 2);
    assert_eq!(hold.lines[0].ticket_type_id, stalls.to_string());
    assert_eq!(
        (hold.lines[0].quantity, &hold.lines[0].line_total),
        (2, &Some(euro(9_000)))
    );
    assert_eq!(answer.secret.len(), 43);
    assert_eq!(shop.counters(stalls).await, (2, 0));
    let stored: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM holds h WHERE h::text LIKE $1")
        .bind(format!("%{}%", answer.secret))
        .fetch_one(&shop.db)
        .await
        .unwrap();
    assert_eq!(stored, 0, "the secret is stored");

    let raise = api::UpdateTicketTypeRequest {
        ticket_type_id: stalls.to_string(),
        price: Some(euro(9_900)),
        ..Default::default()
    };
    shop.admin
        .clone()
        .update_ticket_type(shop.own(raise))
        .await
        .unwrap();
    let seen = shop.get_hold(&Held::from(answer)).await;
    assert_eq!(seen.total, Some(euro(13_500)));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_meets_its_own_hold_even_when_all_is_sold() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1).await;
    let key = keys::idempotency_key();
    let first = shop
        .try_hold(event, &[(ticket_type, 1)], &key)
        .await
        .unwrap();
    let replay = shop
        .try_hold(event, &[(ticket_type, 1)], &key)
        .await
        .unwrap();
    assert_eq!(
        (replay.hold, replay.secret),
        (first.hold.clone(), first.secret)
    );
    assert_eq!(shop.counters(ticket_type).await, (1, 0));
    // Nor does a pause of the sale stand between a guest and what they hold.
    shop.set_event_status(event, "inactive").await;
    let replay = shop
        .try_hold(event, &[(ticket_type, 1)], &key)
        .await
        .unwrap();
    assert_eq!(replay.hold, first.hold);
    let reused = ErrorReason::IdempotencyKeyReused;
    refused(
        shop.try_hold(event, &[(ticket_type, 2)], &key).await,
        reused,
    );
    refused(
        shop.try_hold(shop.event().await, &[(ticket_type, 1)], &key)
            .await,
        reused,
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_lines_or_none() {
    let shop = Shop::open().await;
    let (event, plenty) = shop.on_sale(10).await;
    let scarce = shop.ticket_type(event, Some(1)).await;
    let lines = [(plenty, 3), (scarce, 2)];
    let failure = refused(
        shop.try_hold(event, &lines, &keys::idempotency_key()).await,
        ErrorReason::SoldOut,
    );
    assert_eq!(
        fact(&failure, "ticket_type_id"),
        Some(scarce.to_string().as_str())
    );
    assert_eq!(shop.counters(plenty).await, (0, 0));
    let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM holds")
        .fetch_one(&shop.db)
        .await
        .unwrap();
    assert_eq!(left, 0);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sold_out_and_held_by_others_are_told_apart() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(2).await;
    let (order, _) = shop.paying(event, ticket_type, 2).await;
    let hold = async || {
        shop.try_hold(event, &[(ticket_type, 1)], &keys::idempotency_key())
            .await
    };
    refused(hold().await, ErrorReason::HeldByOthers);
    shop.commit(order).await;
    refused(hold().await, ErrorReason::SoldOut);
    shop.close().await;
}

/// A type of this event that a change has been made to.
async fn special(
    shop: &Shop,
    event: EventId,
    change: impl FnOnce(&mut api::CreateTicketTypeRequest),
) -> TicketTypeId {
    let mut request = type_request(event, Some(50));
    change(&mut request);
    let made = shop
        .admin
        .clone()
        .create_ticket_type(shop.own(request))
        .await
        .unwrap();
    made.into_inner().ticket_type.unwrap().id.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn window_and_limits_are_enforced_here() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let later = special(&shop, event, |r| r.sales_start = Some(in_days(1))).await;
    let over = special(&shop, event, |r| r.sales_end = Some(in_days(-1))).await;
    let pairs = special(&shop, event, |r| {
        (r.min_per_order, r.max_per_order) = (2, 4)
    })
    .await;
    let hold = async |id, quantity| {
        shop.try_hold(event, &[(id, quantity)], &keys::idempotency_key())
            .await
    };
    let failure = refused(hold(later, 1).await, ErrorReason::SalesNotStarted);
    assert_eq!(
        fact(&failure, "ticket_type_id"),
        Some(later.to_string().as_str())
    );
    refused(hold(over, 1).await, ErrorReason::SalesEnded);
    for quantity in [1, 5, u32::MAX] {
        let failure = refused(hold(pairs, quantity).await, ErrorReason::LimitExceeded);
        assert_eq!(fact(&failure, "max_per_order"), Some("4"));
    }
    hold(pairs, 2).await.unwrap();
    for status in ["inactive", "cancelled"] {
        shop.set_event_status(event, status).await;
        refused(hold(pairs, 2).await, ErrorReason::EventNotActive);
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_by_field() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let (_, foreign) = shop.on_sale(10).await;
    let hold =
        async |event, lines: &[_]| shop.try_hold(event, lines, &keys::idempotency_key()).await;
    refused_field(hold(event, &[]).await, "lines");
    refused_field(hold(event, &[(ticket_type, 0)]).await, "lines[0].quantity");
    let twice = [(ticket_type, 1), (ticket_type, 1)];
    refused_field(hold(event, &twice).await, "lines[1].ticket_type_id");
    refused_field(
        hold(event, &[(foreign, 1)]).await,
        "lines[0].ticket_type_id",
    );
    let many: Vec<_> = (0..21)
        .map(|_| (TicketTypeId::new(&shop.sources), 1))
        .collect();
    refused_field(hold(event, &many).await, "lines");
    let unknown = EventId::new(&shop.sources);
    refused(
        hold(unknown, &[(ticket_type, 1)]).await,
        ErrorReason::NotFound,
    );
    let no_key = shop.try_hold(event, &[(ticket_type, 1)], "").await;
    refused(no_key, ErrorReason::IdempotencyKeyInvalid);
    let request = api::HoldTicketsRequest {
        event_id: "x".to_owned(),
        lines: Vec::new(),
        idempotency_key: keys::idempotency_key(),
    };
    refused_field(shop.holds.clone().hold_tickets(request).await, "event_id");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_and_an_absent_hold_are_alike() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(10).await;
    let held = shop.hold(event, ticket_type, 1).await;
    let other = shop.hold(event, ticket_type, 1).await;
    let mut messages = Vec::new();
    for (hold_id, secret) in [
        (held.id.as_str(), other.secret.as_str()),
        (&held.id, ""),
        ("0190b6a2-7c1e-7000-8000-0123456789ab", &held.secret),
        ("nonsense", &held.secret),
    ] {
        let (hold_id, secret) = (hold_id.to_owned(), secret.to_owned());
        let get = api::GetHoldRequest {
            hold_id: hold_id.clone(),
            secret: secret.clone(),
        };
        let get = shop.holds.clone().get_hold(get).await;
        messages.push(refused(get, ErrorReason::NotFound).detail);
        let release = api::ReleaseHoldRequest { hold_id, secret };
        let release = shop.holds.clone().release_hold(release).await;
        messages.push(refused(release, ErrorReason::NotFound).detail);
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(shop.counters(ticket_type).await, (2, 0));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_gives_back_once() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(3).await;
    let held = shop.hold(event, ticket_type, 2).await;
    shop.hold(event, ticket_type, 1).await;
    for _ in 0..2 {
        let released = shop.release_hold(&held).await.unwrap();
        assert_eq!(released.status(), HoldStatus::Released);
        assert_eq!(shop.counters(ticket_type).await, (1, 0));
    }
    let (_, paying) = shop.paying(event, ticket_type, 1).await;
    refused(
        shop.release_hold(&paying).await,
        ErrorReason::PaymentInProgress,
    );
    assert_eq!(shop.get_hold(&paying).await.status(), HoldStatus::Paying);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_pool_limits_all_its_types() {
    let shop = Shop::open().await;
    let (event, stalls) = shop.on_sale(10).await;
    let balcony = shop.ticket_type(event, Some(10)).await;
    let house = uuid::Uuid::from_u128(1);
    sqlx::query("INSERT INTO pools (id, event_id, capacity) VALUES ($1, $2, 3)")
        .bind(house)
        .bind(event.uuid())
        .execute(&shop.db)
        .await
        .unwrap();
    sqlx::query("INSERT INTO ticket_type_pools SELECT id, $1 FROM ticket_types")
        .bind(house)
        .execute(&shop.db)
        .await
        .unwrap();
    let key = keys::idempotency_key();
    let lines = [(stalls, 2), (balcony, 2)];
    let failure = refused(
        shop.try_hold(event, &lines, &key).await,
        ErrorReason::SoldOut,
    );
    assert!(fact(&failure, "ticket_type_id").is_some());
    let (order, _) = shop.paying(event, stalls, 2).await;
    shop.commit(order).await;
    let held = shop.try_hold(event, &[(balcony, 1)], &key).await.unwrap();
    let request = api::GetEventRequest {
        id_or_slug: event.to_string(),
    };
    let found = shop
        .catalog
        .clone()
        .get_event(request)
        .await
        .unwrap()
        .into_inner();
    let remaining: Vec<_> = found.ticket_types.iter().map(|t| t.remaining).collect();
    assert_eq!(remaining, [Some(0), Some(0)]);
    shop.release_hold(&Held::from(held)).await.unwrap();
    shop.close().await;
}
