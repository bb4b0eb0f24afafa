//! Views, holds and stock: what was counted is there once, at every moment.

use std::time::Duration;

use base::{EventId, UserId};
use futures::future::join_all;
use kit::ErrorReason;
use proto::{
    Peer, common,
    ticket::{
        self as api, InsightBucket, grant_admin_service_client::GrantAdminServiceClient,
        insight_admin_service_client::InsightAdminServiceClient,
        view_service_client::ViewServiceClient,
    },
};
use testkit::eventually;
use time::OffsetDateTime;
use tonic::Status;
use uuid::Uuid;

use crate::shop::{Shop, by, refused, refused_field};

impl Shop {
    async fn count_views(&self, request: api::CountViewsRequest) -> Result<(), Status> {
        let mut views = ViewServiceClient::new(self.channel(Peer::Gateway));
        views.count_views(request).await.map(|_| ())
    }

    async fn traffic_as(
        &self,
        token: &str,
        request: api::ReadTrafficRequest,
    ) -> Result<api::ReadTrafficResponse, Status> {
        let mut insights = InsightAdminServiceClient::new(self.channel(Peer::Gateway));
        Ok(insights
            .read_traffic(by(token, request))
            .await?
            .into_inner())
    }

    async fn traffic(&self, request: api::ReadTrafficRequest) -> api::EventTraffic {
        let owner = format!("admin:{}", self.owner);
        let mut answer = self.traffic_as(&owner, request).await.unwrap();
        answer.events.remove(0)
    }

    async fn drift(&self) -> i64 {
        let drift = sqlx::query_scalar("SELECT count(*) FROM traffic_drift");
        drift.fetch_one(&self.db).await.unwrap()
    }
}

fn of(event: EventId, bucket: InsightBucket) -> api::ReadTrafficRequest {
    api::ReadTrafficRequest {
        event_ids: vec![event.to_string()],
        bucket: bucket.into(),
        ..api::ReadTrafficRequest::default()
    }
}

fn flush(views: &[(EventId, u32)]) -> api::CountViewsRequest {
    let views = views.iter().map(|(event, count)| api::EventViews {
        event_id: event.to_string(),
        count: *count,
    });
    api::CountViewsRequest {
        flush_id: Uuid::new_v4().to_string(),
        counted_at: Some(proto::timestamp(OffsetDateTime::now_utc())),
        views: views.collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_counts_once_however_often_it_comes() {
    let shop = Shop::open().await;
    let (event, other) = (shop.event().await, shop.event().await);
    let absent = EventId::new(&shop.sources);
    let one = flush(&[(event, 7), (other, 2), (absent, 9)]);
    let copies = (0..8).map(|_| shop.count_views(one.clone()));
    for copy in join_all(copies).await {
        copy.unwrap();
    }
    shop.count_views(flush(&[(event, 1)])).await.unwrap();
    shop.count_views(one).await.unwrap();
    for bucket in [
        InsightBucket::Hour,
        InsightBucket::Day,
        InsightBucket::Unspecified,
    ] {
        assert_eq!(shop.traffic(of(event, bucket)).await.views, 8);
        assert_eq!(shop.traffic(of(other, bucket)).await.views, 2);
    }
    eventually("all is folded", Duration::from_secs(60), || async {
        let left = sqlx::query_scalar("SELECT count(*) FROM traffic_deltas");
        let left: i64 = left.fetch_one(&shop.db).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
    let folded = shop.traffic(of(event, InsightBucket::Hour)).await;
    let in_hours: i64 = folded.buckets.iter().map(|hour| hour.views).sum();
    assert_eq!((folded.views, in_hours), (8, 8));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_of_long_ago_or_of_tomorrow_is_kept_near() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let now = OffsetDateTime::now_utc();
    for at in [
        now - time::Duration::days(400),
        now + time::Duration::days(400),
    ] {
        let counted_at = Some(proto::timestamp(at));
        let flush = flush(&[(event, 1)]);
        shop.count_views(api::CountViewsRequest {
            counted_at,
            ..flush
        })
        .await
        .unwrap();
    }
    let days = shop.traffic(of(event, InsightBucket::Day)).await;
    assert_eq!(days.views, 2);
    for day in days.buckets {
        let start = proto::timestamp_from(&day.start.unwrap()).unwrap();
        let later = OffsetDateTime::now_utc();
        assert!(now - time::Duration::days(3) < start && start <= later);
    }
    refused_field(
        shop.count_views(api::CountViewsRequest {
            views: vec![],
            ..flush(&[])
        })
        .await,
        "views",
    );
    refused_field(
        shop.count_views(flush(&[(event, 0)])).await,
        "views[0].count",
    );
    let nameless = api::CountViewsRequest {
        flush_id: String::new(),
        ..flush(&[(event, 1)])
    };
    refused_field(shop.count_views(nameless).await, "flush_id");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_are_counted_whatever_becomes_of_them() {
    let shop = Shop::open().await;
    let (event, kind) = shop.on_sale(200).await;
    let guests = (0..4).map(|guest| {
        let shop = &shop;
        async move {
            for turn in 0..6 {
                let held = shop.hold(event, kind, 1 + turn % 2).await;
                match (guest + turn) % 4 {
                    0 => drop(shop.release_hold(&held).await.unwrap()),
                    1 => shop.age(&held).await,
                    2 => {
                        let order = shop.order();
                        shop.try_begin(order, &held).await.unwrap();
                        shop.commit(order).await;
                    }
                    _ => {}
                }
                assert_eq!(shop.drift().await, 0, "in the middle of it");
            }
        }
    });
    join_all(guests).await;
    let seen = shop.traffic(of(event, InsightBucket::Day)).await;
    let in_days: i64 = seen.buckets.iter().map(|day| day.holds).sum();
    assert_eq!((seen.holds, in_days), (24, 24));
    eventually("dead holds are swept", Duration::from_secs(60), || async {
        let traffic = shop.traffic(of(event, InsightBucket::Unspecified)).await;
        let stock = traffic.types.into_iter().next()?;
        let (held, sold) = shop.counters(kind).await;
        let sums = (stock.held, stock.sold, stock.free.unwrap());
        (sums == (held, sold, 200 - held - sold) && held == 9).then_some(())
    })
    .await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_see_their_events_and_nobody_else_does() {
    let shop = Shop::open().await;
    let (first, second) = (shop.event().await, shop.event().await);
    let (viewer, door, stranger) = (
        UserId::new(&shop.sources),
        UserId::new(&shop.sources),
        UserId::new(&shop.sources),
    );
    for (user, grant) in [(viewer, common::Grant::Viewer), (door, common::Grant::Door)] {
        let mut grants = GrantAdminServiceClient::new(shop.channel(Peer::Gateway));
        let request = api::SetEventGrantRequest {
            event_id: first.to_string(),
            user_id: user.to_string(),
            grant: grant.into(),
        };
        grants.set_event_grant(shop.own(request)).await.unwrap();
    }
    let one = of(first, InsightBucket::Day);
    let all = api::ReadTrafficRequest::default;
    let as_admin = |user: UserId| format!("admin:{user}");
    let seen = shop.traffic_as(&as_admin(viewer), all()).await.unwrap();
    let ids: Vec<_> = seen
        .events
        .iter()
        .map(|event| event.event_id.clone())
        .collect();
    assert_eq!(ids, [first.to_string()]);
    assert!(
        shop.traffic_as(&as_admin(viewer), one.clone())
            .await
            .is_ok()
    );
    refused(
        shop.traffic_as(&as_admin(viewer), of(second, InsightBucket::Day))
            .await,
        ErrorReason::NotFound,
    );
    refused(
        shop.traffic_as(&as_admin(door), one.clone()).await,
        ErrorReason::PermissionDenied,
    );
    let nothing = shop.traffic_as(&as_admin(door), all()).await.unwrap();
    assert!(nothing.events.is_empty());
    refused(
        shop.traffic_as(&as_admin(stranger), one).await,
        ErrorReason::NotFound,
    );
    let boss = format!("superadmin:{stranger}");
    let page = api::ReadTrafficRequest {
        page_size: 1,
        ..all()
    };
    let one_page = shop.traffic_as(&boss, page.clone()).await.unwrap();
    assert_eq!(one_page.events.len(), 1);
    let page_token = one_page.next_page_token;
    let rest = shop
        .traffic_as(&boss, api::ReadTrafficRequest { page_token, ..page })
        .await
        .unwrap();
    assert_ne!(rest.events[0].event_id, one_page.events[0].event_id);
    let mut outside = ViewServiceClient::new(shop.channel(Peer::Payment));
    refused(
        outside.count_views(flush(&[(first, 1)])).await,
        ErrorReason::CallerNotAllowed,
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_that_is_none_is_refused() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    let owner = format!("admin:{}", shop.owner);
    for (from, to, bucket, field) in [
        ("yesterday", "", InsightBucket::Day, "from"),
        ("", "2026-02-30", InsightBucket::Day, "to"),
        ("2026-02-02", "2026-02-01", InsightBucket::Day, "to"),
        ("2026-01-01", "2026-06-01", InsightBucket::Hour, "from"),
    ] {
        let request = api::ReadTrafficRequest {
            from: from.to_owned(),
            to: to.to_owned(),
            ..of(event, bucket)
        };
        refused_field(shop.traffic_as(&owner, request).await, field);
    }
    let many = api::ReadTrafficRequest {
        event_ids: vec![event.to_string(); 21],
        ..api::ReadTrafficRequest::default()
    };
    refused_field(shop.traffic_as(&owner, many).await, "event_id");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_only_looked_at_can_be_deleted() {
    let shop = Shop::open().await;
    let event = shop.event().await;
    shop.count_views(flush(&[(event, 3)])).await.unwrap();
    eventually("its views are folded", Duration::from_secs(60), || async {
        let days = sqlx::query_scalar("SELECT count(*) FROM traffic_days");
        let days: i64 = days.fetch_one(&shop.db).await.unwrap();
        (days == 1).then_some(())
    })
    .await;
    // Not folded yet.
    shop.count_views(flush(&[(event, 3)])).await.unwrap();
    let request = shop.own(api::DeleteEventRequest {
        event_id: event.to_string(),
        expected_version: 0,
    });
    shop.admin.clone().delete_event(request).await.unwrap();
    eventually("nothing is left of it", Duration::from_secs(60), || async {
        let left = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM traffic_deltas) + (SELECT count(*) FROM traffic_days)
                  + (SELECT count(*) FROM traffic_hours)",
        );
        let left: i64 = left.fetch_one(&shop.db).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migration_counts_the_holds_that_are_there() {
    let shop = Shop::open().await;
    let (event, kind) = shop.on_sale(10).await;
    for _ in 0..3 {
        shop.hold(event, kind, 1).await;
    }
    let text = include_str!("../../migrations/0011_insights.sql");
    let (_, fill) = text.split_once("-- What was held until now.").unwrap();
    let (fill, _) = fill.split_once("-- Where what is kept").unwrap();
    let (_, fill) = fill.split_once('\n').unwrap();
    let again =
        format!("BEGIN; TRUNCATE traffic_deltas, traffic_hours, traffic_days; {fill}; COMMIT");
    sqlx::raw_sql(sqlx::AssertSqlSafe(again))
        .execute(&shop.db)
        .await
        .unwrap();
    assert_eq!(shop.drift().await, 0);
    assert_eq!(shop.traffic(of(event, InsightBucket::Hour)).await.holds, 3);
    shop.close().await;
}
