//! The export of orders: all of them, in order, a page at a time, for as long as somebody reads.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use kit::{CallContext, with_context};
use proto::payment::{ExportOrdersRequest, ExportOrdersResponse, OrderStatus, OrderSummary};
use time::macros::datetime;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use crate::{
    desk::{Clerk, Desk},
    seed,
};

const PAGE_ROWS: usize = 500;

async fn export(
    desk: &Desk,
    clerk: Clerk,
    request: ExportOrdersRequest,
) -> Result<Streaming<ExportOrdersResponse>, Status> {
    let answer = desk
        .orders
        .clone()
        .export_orders(clerk.asks(request))
        .await?;
    Ok(answer.into_inner())
}

async fn all(desk: &Desk, clerk: Clerk, request: ExportOrdersRequest) -> Vec<OrderSummary> {
    rest(export(desk, clerk, request).await.unwrap()).await
}

async fn rest(mut rows: Streaming<ExportOrdersResponse>) -> Vec<OrderSummary> {
    let mut orders = Vec::new();
    while let Some(page) = rows.message().await.unwrap() {
        assert!((1..=PAGE_ROWS).contains(&page.orders.len()));
        orders.extend(page.orders);
    }
    orders
}

#[tokio::test]
async fn many_orders_stream_page_by_page_while_the_reader_takes_its_time() {
    const ORDERS: i32 = 100_000;
    let desk = Desk::open().await;
    seed::many(&desk.pool, Uuid::new_v4(), ORDERS).await;
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(4);
    // The call's own time is over long before the stream is.
    let context = CallContext {
        deadline: Some(deadline),
        ..CallContext::default()
    };
    let request = ExportOrdersRequest::default();
    let clerk = Clerk::superadmin();
    let mut rows = with_context(context, export(&desk, clerk, request))
        .await
        .unwrap();
    let first = rows.message().await.unwrap().unwrap();
    assert!(Instant::now() < deadline, "{:?}", begun.elapsed());
    assert_eq!(first.orders.len(), PAGE_ROWS);
    // Sleeps: the reader is as slow as the test wants.
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    // Pages are read when they are wanted: what is placed now is still to come.
    let late = seed::order(&desk.pool, Uuid::new_v4(), &[(1, 500, 0, 0)]).await;
    let mut orders = first.orders;
    orders.extend(rest(rows).await);
    assert_eq!(orders.len(), usize::try_from(ORDERS).unwrap() + 1);
    assert_eq!(orders.last().unwrap().id, late.id.to_string());
    let times = orders.iter().map(|order| order.created_at.unwrap().seconds);
    assert!(times.is_sorted());
    let ids: HashSet<&str> = orders.iter().map(|order| order.id.as_str()).collect();
    assert_eq!(ids.len(), orders.len());
}

#[tokio::test]
async fn events_status_and_time_limit_it_and_foreign_orders_are_not_there() {
    let desk = Desk::open().await;
    let (event, second, foreign) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    seed::many(&desk.pool, event, 1_200).await;
    seed::many(&desk.pool, second, 300).await;
    seed::many(&desk.pool, foreign, 300).await;
    let anything = ExportOrdersRequest::default;
    let clerk = desk.clerk_of(&[event, second]);
    let own = all(&desk, clerk, anything()).await;
    assert_eq!(own.len(), 1_500);
    assert!(
        own.iter()
            .all(|order| order.event_id != foreign.to_string())
    );
    assert!(own.is_sorted_by_key(|order| (order.created_at.unwrap().seconds, order.id.clone())));
    assert_eq!(
        all(&desk, Clerk::superadmin(), anything()).await.len(),
        1_800
    );
    assert_eq!(all(&desk, desk.clerk_of(&[]), anything()).await.len(), 0);

    let of_event = ExportOrdersRequest {
        event_id: event.to_string(),
        ..anything()
    };
    assert_eq!(all(&desk, clerk, of_event.clone()).await.len(), 1_200);
    let expired = ExportOrdersRequest {
        status: OrderStatus::Expired.into(),
        ..of_event.clone()
    };
    assert_eq!(all(&desk, clerk, expired).await.len(), 120);
    let refunded = ExportOrdersRequest {
        status: OrderStatus::Refunded.into(),
        ..of_event.clone()
    };
    assert_eq!(all(&desk, clerk, refunded).await.len(), 0);
    // From the first second up to, and without, the last one.
    let timed = ExportOrdersRequest {
        from: Some(proto::timestamp(datetime!(2026-01-01 0:01 UTC))),
        to: Some(proto::timestamp(datetime!(2026-01-01 0:02 UTC))),
        ..of_event
    };
    assert_eq!(all(&desk, clerk, timed).await.len(), 60);

    let foreign = ExportOrdersRequest {
        event_id: foreign.to_string(),
        ..anything()
    };
    assert_eq!(
        export(&desk, clerk, foreign).await.unwrap_err().code(),
        Code::NotFound
    );
    let noise = ExportOrdersRequest {
        event_id: "x".to_owned(),
        ..anything()
    };
    assert_eq!(
        export(&desk, clerk, noise).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

/// By hand: `cargo test --test payment_it a_million -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "takes minutes; its figures are for people"]
async fn a_million_orders() {
    let desk = Desk::open().await;
    seed::many(&desk.pool, Uuid::new_v4(), 1_000_000).await;
    let before = peak_rss_kb();
    let begun = Instant::now();
    let mut rows = export(&desk, Clerk::superadmin(), ExportOrdersRequest::default())
        .await
        .unwrap();
    let (mut count, mut first) = (0, None);
    while let Some(page) = rows.message().await.unwrap() {
        first.get_or_insert_with(|| begun.elapsed());
        count += page.orders.len();
    }
    let secs = begun.elapsed().as_secs_f64();
    println!(
        "{count} orders in {secs:.1} s, first page after {first:?}; peak RSS of reader and server {before} kB before, {} kB after",
        peak_rss_kb()
    );
    assert_eq!(count, 1_000_000);
}

fn peak_rss_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
