//! What events sold: equal to a count of the orders at every moment, whatever happens to them meanwhile.

use std::time::Duration;

use kit::{ErrorReason, Failure};
use payment_svc::MIGRATOR;
use proto::payment::{
    EventSales, InsightBucket, ReadSalesRequest, ReadSalesResponse, SalesFigures, SalesPeriod,
};
use sqlx::PgPool;
use testkit::eventually;
use time::{OffsetDateTime, macros::datetime};
use tonic::Status;
use uuid::Uuid;

use crate::{
    desk::{Clerk, Desk},
    seed::{self, Order},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Two tickets at 45.00, and three at 20.00.
const LINES: [seed::Line; 2] = [(2, 4500, 200, 70_000), (3, 2000, 0, 0)];
const TOTAL: i64 = 15_000;

async fn drift(pool: &PgPool) -> i64 {
    let drift = sqlx::query_scalar("SELECT count(*) FROM sale_drift");
    drift.fetch_one(pool).await.unwrap()
}

async fn unfolded(pool: &PgPool) -> i64 {
    let rows = sqlx::query_scalar("SELECT count(*) FROM sale_deltas");
    rows.fetch_one(pool).await.unwrap()
}

fn period(event: Uuid) -> SalesPeriod {
    SalesPeriod {
        event_id: event.to_string(),
        timezone: "Europe/Berlin".to_owned(),
        from: None,
        to: None,
    }
}

fn within(event: Uuid, from: OffsetDateTime, to: OffsetDateTime) -> SalesPeriod {
    SalesPeriod {
        from: Some(proto::timestamp(from)),
        to: Some(proto::timestamp(to)),
        ..period(event)
    }
}

impl Desk {
    async fn ask(
        &self,
        clerk: Clerk,
        events: Vec<SalesPeriod>,
        bucket: InsightBucket,
    ) -> Result<ReadSalesResponse, Status> {
        let request = clerk.asks(ReadSalesRequest {
            events,
            bucket: bucket.into(),
        });
        Ok(self
            .insights
            .clone()
            .read_sales(request)
            .await?
            .into_inner())
    }

    async fn sales(&self, period: SalesPeriod, bucket: InsightBucket) -> EventSales {
        let answer = self.ask(Clerk::superadmin(), vec![period], bucket).await;
        answer.unwrap().events.remove(0)
    }
}

/// Tickets sold, given back, earned and sent back, in EUR.
fn sums(figures: &SalesFigures) -> (i64, i64, i64, i64) {
    let minor = |money: &Option<proto::common::Money>| {
        let money = money.as_ref().unwrap();
        assert_eq!(money.currency, "EUR");
        money.amount_minor
    };
    figures.lines.iter().fold((0, 0, 0, 0), |sum, line| {
        (
            sum.0 + line.sold,
            sum.1 + line.refunded,
            sum.2 + minor(&line.revenue),
            sum.3 + minor(&line.refunds),
        )
    })
}

/// One life of an order: sold, perhaps given back in one way or another, perhaps not after all.
async fn live(pool: &PgPool, event: Uuid, way: usize) {
    let (order, payment) = seed::sold(pool, event, &LINES).await;
    let refund = match way % 6 {
        1 => seed::refund_units(pool, &order, payment, (0, 1)).await,
        2 => seed::refund(pool, &order, payment, 700, ("requested", "none")).await,
        3 => seed::refund(pool, &order, payment, TOTAL, ("event_cancelled", "all")).await,
        // A fee is kept.
        4 => {
            seed::refund(
                pool,
                &order,
                payment,
                TOTAL - 1500,
                ("guest_cancelled", "all"),
            )
            .await
        }
        5 => seed::refund_units(pool, &order, payment, (1, 2)).await,
        _ => None,
    };
    if way % 12 == 5 {
        seed::end_refund(pool, refund.unwrap(), "failed_final").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_equal_a_recount_while_orders_and_refunds_go_on() {
    let desk = Desk::open().await;
    let event = Uuid::new_v4();
    let lives = (0..6_usize).map(|guest| {
        let pool = desk.pool.clone();
        tokio::spawn(async move {
            for turn in 0..8 {
                live(&pool, event, guest + turn).await;
            }
        })
    });
    let lives: Vec<_> = lives.collect();
    while lives.iter().any(|life| !life.is_finished()) {
        assert_eq!(drift(&desk.pool).await, 0, "in the middle of it");
        let sales = desk.sales(period(event), InsightBucket::Day).await;
        let pieces = sales
            .buckets
            .iter()
            .map(|piece| piece.figures.clone().unwrap());
        let pieces: i64 = pieces.map(|figures| sums(&figures).2).sum();
        assert_eq!(sums(&sales.total.unwrap()).2, pieces);
    }
    for life in lives {
        life.await.unwrap();
    }
    let expected: (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT sum(sold)::bigint, sum(returned)::bigint, sum(revenue_minor)::bigint,
                sum(refunded_minor)::bigint FROM sale_facts",
    )
    .fetch_one(&desk.pool)
    .await
    .unwrap();
    assert_eq!((expected.0, expected.2), (48 * 5, 48 * TOTAL));
    let of_refunds: i64 = sqlx::query_scalar(
        "SELECT sum(amount_minor)::bigint FROM refunds WHERE status <> 'failed_final'",
    )
    .fetch_one(&desk.pool)
    .await
    .unwrap();
    assert_eq!(expected.3, of_refunds, "each cent that went back, once");
    for bucket in [
        InsightBucket::Unspecified,
        InsightBucket::Hour,
        InsightBucket::Day,
        InsightBucket::Week,
        InsightBucket::Month,
    ] {
        let total = desk.sales(period(event), bucket).await.total.unwrap();
        assert_eq!((total.orders, total.paid_orders), (48, 48));
        assert_eq!(sums(&total), expected, "{bucket:?}");
    }
    eventually("everything is folded", PATIENCE, || async {
        (unfolded(&desk.pool).await == 0).then_some(())
    })
    .await;
    assert_eq!(drift(&desk.pool).await, 0);
    let folded = desk.sales(period(event), InsightBucket::Hour).await;
    assert_eq!(sums(&folded.total.unwrap()), expected);
}

#[tokio::test]
async fn a_follower_that_dies_loses_nothing_and_counts_nothing_twice() {
    let db = testkit::database("payments", &MIGRATOR).await;
    let pool = db.pool().await;
    let event = Uuid::new_v4();
    for way in 0..7 {
        live(&pool, event, way).await;
    }
    let before = unfolded(&pool).await;
    assert!(before > 7);
    // It dies after it has folded and before it has committed.
    let mut dying = pool.begin().await.unwrap();
    let folded: i64 = sqlx::query_scalar("SELECT fold_sales(10)")
        .fetch_one(&mut *dying)
        .await
        .unwrap();
    assert_eq!(folded, 10);
    // Another replica waits for nobody, and folds nothing meanwhile.
    let other: i64 = sqlx::query_scalar("SELECT fold_sales(10)")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(other, 0);
    assert_eq!(drift(&pool).await, 0);
    dying.rollback().await.unwrap();
    assert_eq!(unfolded(&pool).await, before);
    let mut left = before;
    while left > 0 {
        let folded: i64 = sqlx::query_scalar("SELECT fold_sales(3)")
            .fetch_one(&pool)
            .await
            .unwrap();
        left -= folded;
        assert_eq!((unfolded(&pool).await, drift(&pool).await), (left, 0));
    }
}

#[tokio::test]
async fn the_migration_counts_the_orders_that_are_there() {
    let db = testkit::database("payments", &MIGRATOR).await;
    let pool = db.pool().await;
    let event = Uuid::new_v4();
    for way in 0..7 {
        live(&pool, event, way).await;
    }
    sqlx::raw_sql("TRUNCATE sale_deltas, sale_hours, sale_days")
        .execute(&pool)
        .await
        .unwrap();
    assert!(drift(&pool).await > 0);
    let text = include_str!("../../migrations/0013_insights.sql");
    let (_, fill) = text.split_once("-- What was sold until now.").unwrap();
    let (fill, _) = fill.split_once("-- Where what is kept").unwrap();
    let (_, fill) = fill.split_once('\n').unwrap();
    sqlx::raw_sql(fill).execute(&pool).await.unwrap();
    assert_eq!(drift(&pool).await, 0);
}

/// The same order is sold at this time.
async fn sell_at(pool: &PgPool, order: &Order, at: OffsetDateTime) {
    sqlx::query(
        "INSERT INTO order_events (order_id, actor, from_status, to_status, reason, at)
         VALUES ($1, 'saga', 'paid', 'fulfilled', 'seeded', $2)",
    )
    .bind(order.id)
    .bind(at)
    .execute(pool)
    .await
    .unwrap();
}

async fn sell_hourly(pool: &PgPool, event: Uuid, from: OffsetDateTime, hours: i64) {
    for hour in -1..=hours {
        let order = seed::order(pool, event, &[(1, 100, 0, 0)]).await;
        let at = from + time::Duration::hours(hour) + time::Duration::minutes(59);
        sell_at(pool, &order, at).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_as_many_hours_as_the_clock_there_shows() {
    let desk = Desk::open().await;
    for (midnight, hours) in [
        (datetime!(2026-10-24 22:00 UTC), 25),
        (datetime!(2026-03-28 23:00 UTC), 23),
        (datetime!(2026-06-11 22:00 UTC), 24),
    ] {
        let event = Uuid::new_v4();
        sell_hourly(&desk.pool, event, midnight, hours).await;
        let next = midnight + time::Duration::hours(hours);
        let day = within(event, midnight, next);
        let days = desk.sales(day.clone(), InsightBucket::Day).await;
        let [piece] = days.buckets.as_slice() else {
            panic!("{days:?}");
        };
        assert_eq!(piece.start, Some(proto::timestamp(midnight)));
        assert_eq!(sums(piece.figures.as_ref().unwrap()).0, hours);
        let of_hours = desk.sales(day, InsightBucket::Hour).await;
        let starts: Vec<_> = of_hours
            .buckets
            .iter()
            .map(|piece| piece.start.unwrap())
            .collect();
        let expected: Vec<_> = (0..hours)
            .map(|hour| proto::timestamp(midnight + time::Duration::hours(hour)))
            .collect();
        assert_eq!(starts, expected);
        let all = desk.sales(period(event), InsightBucket::Day).await;
        let sold = all
            .buckets
            .iter()
            .map(|piece| sums(piece.figures.as_ref().unwrap()).0);
        let sold: Vec<i64> = sold.filter(|sold| *sold > 0).collect();
        assert_eq!(sold, [1, hours, 1], "the day before and the day after");
    }
    // Weeks begin on Monday, months on the first.
    let event = Uuid::new_v4();
    for at in [
        datetime!(2026-05-31 21:59 UTC),
        datetime!(2026-05-31 22:00 UTC),
    ] {
        let order = seed::order(&desk.pool, event, &[(1, 100, 0, 0)]).await;
        sell_at(&desk.pool, &order, at).await;
    }
    let starts = |sales: EventSales| -> Vec<_> {
        let starts = sales.buckets.iter().map(|piece| piece.start.unwrap());
        starts.collect()
    };
    let months = desk
        .sales(
            within(
                event,
                datetime!(2026-05-01 0:00 UTC),
                datetime!(2026-07-01 0:00 UTC),
            ),
            InsightBucket::Month,
        )
        .await;
    let (may, june) = (
        datetime!(2026-04-30 22:00 UTC),
        datetime!(2026-05-31 22:00 UTC),
    );
    assert_eq!(starts(months), [may, june].map(proto::timestamp));
    let weeks = desk.sales(period(event), InsightBucket::Week).await;
    let monday = datetime!(2026-05-24 22:00 UTC);
    assert!(starts(weeks).starts_with(&[monday, june].map(proto::timestamp)));
}

#[tokio::test(flavor = "multi_thread")]
async fn currencies_are_never_added_up_and_no_zone_stops_a_sale() {
    let desk = Desk::open().await;
    let event = Uuid::new_v4();
    seed::sold(&desk.pool, event, &LINES).await;
    let other = seed::order(&desk.pool, event, &LINES).await;
    sqlx::query(
        "UPDATE orders SET currency = 'USD', event_timezone = 'Mars/Olympus' WHERE id = $1",
    )
    .bind(other.id)
    .execute(&desk.pool)
    .await
    .unwrap();
    sell_at(&desk.pool, &other, datetime!(2026-05-31 23:30 UTC)).await;
    let total = desk
        .sales(period(event), InsightBucket::Month)
        .await
        .total
        .unwrap();
    let of = |currency: &str| -> i64 {
        let revenue = total.lines.iter().filter_map(|line| line.revenue.as_ref());
        let revenue = revenue.filter(|money| money.currency == currency);
        revenue.map(|money| money.amount_minor).sum()
    };
    assert_eq!((of("EUR"), of("USD")), (TOTAL, TOTAL));
    let day: time::Date = sqlx::query_scalar(
        "SELECT day FROM sale_facts f, local_day(f.at, f.zone) day
         WHERE f.currency = 'USD' AND f.sold > 0 LIMIT 1",
    )
    .fetch_one(&desk.pool)
    .await
    .unwrap();
    assert_eq!(day, time::macros::date!(2026 - 05 - 31));
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_events_do_not_exist_and_nonsense_is_refused() {
    let desk = Desk::open().await;
    let (own, foreign) = (Uuid::new_v4(), Uuid::new_v4());
    for event in [own, foreign] {
        seed::sold(&desk.pool, event, &LINES).await;
    }
    let clerk = desk.clerk_of(&[own]);
    let day = InsightBucket::Day;
    let seen = desk.ask(clerk, vec![period(own)], day).await.unwrap();
    assert_eq!(sums(seen.events[0].total.as_ref().unwrap()).2, TOTAL);
    let reason = |answer: Result<ReadSalesResponse, Status>| {
        Failure::from_status(&answer.unwrap_err()).reason
    };
    let both = desk
        .ask(clerk, vec![period(own), period(foreign)], day)
        .await;
    assert_eq!(reason(both), ErrorReason::NotFound);
    let boss = Clerk::superadmin();
    let nowhere = SalesPeriod {
        timezone: "Mars/Olympus".to_owned(),
        ..period(own)
    };
    let backwards = within(
        own,
        datetime!(2026-05-02 0:00 UTC),
        datetime!(2026-05-01 0:00 UTC),
    );
    for events in [
        vec![],
        vec![period(own); 21],
        vec![nowhere],
        vec![backwards],
    ] {
        let refused = desk.ask(boss, events, day).await;
        assert_eq!(reason(refused), ErrorReason::InvalidRequest);
    }
}
