//! What is left, as it is told to watchers.

use std::{collections::BTreeMap, time::Duration};

use proto::ticket::{
    self as api, Availability, EventAvailability, WatchAvailabilityRequest,
    WatchAvailabilityResponse, catalog_service_client::CatalogServiceClient,
};
use testkit::on_time;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};
use tonic::Streaming;

use crate::shop::{Channel, Shop, type_request};

const PATIENCE: Duration = Duration::from_secs(60);
/// From the answer to a change until it is told.
const SOON: Duration = Duration::from_millis(200);

struct Watcher {
    stream: Streaming<WatchAvailabilityResponse>,
    known: BTreeMap<String, EventAvailability>,
}

impl Watcher {
    async fn of(catalog: &CatalogServiceClient<Channel>) -> Self {
        let request = WatchAvailabilityRequest {};
        let stream = catalog.clone().watch_availability(request).await;
        let mut watcher = Self {
            stream: stream.unwrap().into_inner(),
            known: BTreeMap::new(),
        };
        while watcher.next().await.unwrap().as_of.is_none() {}
        watcher
    }

    /// The next message; none at the end.
    async fn next(&mut self) -> Option<WatchAvailabilityResponse> {
        let message = timeout(PATIENCE, self.stream.message()).await;
        let message = message.expect("it says something").unwrap()?;
        for event in &message.events {
            self.known.insert(event.event_id.clone(), event.clone());
        }
        Some(message)
    }

    /// Waits until the first type of the event is told like this; how long that took.
    async fn until(&mut self, event: impl ToString, wanted: (Availability, i64)) -> Duration {
        let begun = Instant::now();
        let event = event.to_string();
        // Beats go on also while the news does not come.
        while self.left(&event) != Some(wanted) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{:?}, not {wanted:?}",
                self.left(&event)
            );
            self.next().await.expect("the stream goes on");
        }
        begun.elapsed()
    }

    fn left(&self, event: &str) -> Option<(Availability, i64)> {
        let kind = &self.known.get(event)?.ticket_types[0];
        Some((kind.availability(), kind.remaining?))
    }
}

use Availability::{HeldByOthers, NotYet, OnSale, SoldOut};

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_is_told_everything_and_then_what_changes_whoever_changed_it() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let (quiet, _) = shop.on_sale(9).await;
    let (event, ticket_type) = shop.on_sale(6).await;
    let mut watcher = Watcher::of(&shop.catalog).await;
    let mut other = Watcher::of(&replica.catalog).await;
    assert_eq!(watcher.left(&quiet.to_string()), Some((OnSale, 9)));
    assert_eq!(watcher.left(&event.to_string()), Some((OnSale, 6)));

    for left in (1..6).rev() {
        // Now this, now the other process makes the hold; both are told.
        let key = testkit::keys::idempotency_key();
        let lines = [(ticket_type, 1)];
        if left % 2 == 0 {
            replica.try_hold(event, &lines, &key).await.unwrap();
        } else {
            shop.try_hold(event, &lines, &key).await.unwrap();
        }
        watcher.until(event, (OnSale, left)).await;
        other.until(event, (OnSale, left)).await;
    }

    let (order, _) = shop.paying(event, ticket_type, 1).await;
    watcher.until(event, (HeldByOthers, 0)).await;
    shop.commit(order).await;
    sqlx::query("UPDATE holds SET expires_at = clock_timestamp() WHERE status = 'active'")
        .execute(&shop.db)
        .await
        .unwrap();
    watcher.until(event, (OnSale, 5)).await;
    shop.bought(event, ticket_type, 5).await;
    watcher.until(event, (SoldOut, 0)).await;
    // What did not change was told once.
    drop(other);
    replica.close().await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_soon() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(1_000).await;
    let mut watcher = Watcher::of(&shop.catalog).await;
    let mut left = 1_000;
    on_time("a change", SOON, 3, async || {
        shop.hold(event, ticket_type, 1).await;
        left -= 1;
        watcher.until(event, (OnSale, left)).await
    })
    .await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_comes_late_is_not_missed() {
    let shop = Shop::open().await;
    let (slow, slow_type) = shop.on_sale(7).await;
    let (quick, quick_type) = shop.on_sale(7).await;
    let mut watcher = Watcher::of(&shop.catalog).await;
    // It writes first and commits last, with many transactions and looks between.
    let mut transaction = shop.db.begin().await.unwrap();
    sqlx::query(
        "UPDATE pools SET capacity = 4 WHERE id = (SELECT pool_id FROM ticket_types WHERE id = $1)",
    )
    .bind(slow_type.uuid())
    .execute(&mut *transaction)
    .await
    .unwrap();
    for left in (3..7).rev() {
        shop.hold(quick, quick_type, 1).await;
        watcher.until(quick, (OnSale, left)).await;
    }
    assert_eq!(watcher.left(&slow.to_string()), Some((OnSale, 7)));
    transaction.commit().await.unwrap();
    watcher.until(slow, (OnSale, 4)).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_opens_by_the_clock_is_told() {
    let shop = Shop::open().await;
    // All that is told is told again each half minute.
    on_time("a sale opens", Duration::from_secs(1), 1, async || {
        let event = shop.event().await;
        let mut watcher = Watcher::of(&shop.catalog).await;
        let opens = OffsetDateTime::now_utc() + time::Duration::seconds(2);
        let mut request = type_request(event, Some(4));
        request.sales_start = Some(proto::timestamp(opens));
        shop.create_type(request).await.unwrap();
        let id = event.to_string();
        let kinds = |watcher: &Watcher| watcher.known[&id].ticket_types.len();
        // The new type itself is a change.
        while kinds(&watcher) == 0 {
            watcher.next().await.unwrap();
        }
        if OffsetDateTime::now_utc() < opens {
            assert_eq!(watcher.left(&id), Some((NotYet, 4)));
        }
        watcher.until(event, (OnSale, 4)).await;
        // Not before its time.
        Duration::try_from(OffsetDateTime::now_utc() - opens).unwrap()
    })
    .await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_beats_while_the_database_answers_and_is_silent_while_it_does_not() {
    let (shop, proxy) = Shop::open_behind_a_proxy().await;
    shop.on_sale(3).await;
    let mut watcher = Watcher::of(&shop.catalog).await;
    let beat = watcher.next().await.unwrap();
    assert!(beat.events.is_empty() && beat.as_of.is_some(), "{beat:?}");
    proxy.refuse(true);
    proxy.reset_connected();
    let silence = async {
        // What was on its way may still come.
        while timeout(Duration::from_secs(2), watcher.stream.message())
            .await
            .is_ok()
        {}
    };
    timeout(PATIENCE, silence).await.expect("it falls silent");
    proxy.refuse(false);
    watcher.next().await.expect("it goes on");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_everything_is_looked_at_again() {
    let (shop, proxy) = Shop::open_behind_a_proxy().await;
    let (event, _) = shop.on_sale(3).await;
    shop.set_event_status(event, "inactive").await;
    let mut watcher = Watcher::of(&shop.catalog).await;
    // Past the transactions above.
    for _ in 0..3 {
        watcher.next().await.unwrap();
    }
    watcher.known.clear();
    // What no look that only asks for news can see, as after a failover.
    shop.set_event_status(event, "active").await;
    proxy.refuse(true);
    proxy.reset_connected();
    let silence = async {
        while timeout(Duration::from_secs(2), watcher.next())
            .await
            .is_ok()
        {}
    };
    timeout(PATIENCE, silence).await.expect("it falls silent");
    assert_eq!(watcher.left(&event.to_string()), None);
    proxy.refuse(false);
    watcher.until(event, (OnSale, 3)).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_the_service_stops_and_nobody_looks_for_nobody() {
    let shop = Shop::open().await;
    let (event, ticket_type) = shop.on_sale(3).await;
    // Only looks and changes of the programme read this row.
    let looks = async || -> i64 {
        let reads = "SELECT seq_scan + COALESCE(idx_scan, 0) FROM pg_stat_user_tables
                     WHERE relname = 'event_change_seq'";
        sqlx::query_scalar(reads).fetch_one(&shop.db).await.unwrap()
    };
    let looks_in_two_seconds = async || {
        let before = looks().await;
        // Sleeps: sessions tell their statistics once a second.
        tokio::time::sleep(Duration::from_secs(2)).await;
        looks().await - before
    };
    let watcher = Watcher::of(&shop.catalog).await;
    testkit::eventually("it is looked", PATIENCE, || async {
        (looks_in_two_seconds().await >= 10).then_some(())
    })
    .await;
    drop(watcher);
    testkit::eventually("nobody looks any more", PATIENCE, || async {
        (looks_in_two_seconds().await == 0).then_some(())
    })
    .await;
    // Who comes later is told what is true then.
    shop.hold(event, ticket_type, 1).await;
    let mut watcher = Watcher::of(&shop.catalog).await;
    assert_eq!(watcher.left(&event.to_string()), Some((OnSale, 2)));

    let begun = Instant::now();
    shop.begin_shutdown();
    while watcher.next().await.is_some() {}
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    drop(watcher);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_returns_is_told_again() {
    let shop = Shop::open().await;
    let (event, _) = shop.on_sale(3).await;
    let mut watcher = Watcher::of(&shop.catalog).await;
    let set = async |status: api::EventStatus, title: &str| {
        shop.update_event(api::UpdateEventRequest {
            event_id: event.to_string(),
            status: status.into(),
            title: Some(title.to_owned()),
            ..Default::default()
        })
        .await;
    };
    set(api::EventStatus::Inactive, "Paused").await;
    watcher.known.clear();
    watcher.next().await.unwrap();
    set(api::EventStatus::Active, "Back again").await;
    watcher.until(event, (OnSale, 3)).await;
    shop.close().await;
}
