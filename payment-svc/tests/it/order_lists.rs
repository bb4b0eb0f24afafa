//! The orders that admins find: by every filter, in pages, and never a foreign one.

use std::time::Duration;

use kit::Failure;
use proto::payment::{ListOrdersRequest, ListOrdersResponse, OrderStatus};
use sqlx::AssertSqlSafe;
use testkit::eventually;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    desk::{Clerk, Desk},
    seed,
};

const LINE: seed::Line = (2, 4500, 0, 0);

async fn list(
    desk: &Desk,
    clerk: Clerk,
    request: ListOrdersRequest,
) -> Result<ListOrdersResponse, Status> {
    let answer = desk.orders.clone().list_orders(clerk.asks(request)).await?;
    Ok(answer.into_inner())
}

/// The ids that are found, newest first.
async fn found(desk: &Desk, clerk: Clerk, request: ListOrdersRequest) -> Vec<String> {
    let answer = list(desk, clerk, request).await.unwrap();
    answer.orders.into_iter().map(|order| order.id).collect()
}

async fn rename(desk: &Desk, order: &seed::Order, email: &str, name: &str) {
    sqlx::query("UPDATE orders SET email = $2, name = $3 WHERE id = $1")
        .bind(order.id)
        .bind(email)
        .bind(name)
        .execute(&desk.pool)
        .await
        .unwrap();
}

fn anything() -> ListOrdersRequest {
    ListOrdersRequest::default()
}

fn of_event(event: Uuid) -> ListOrdersRequest {
    ListOrdersRequest {
        event_id: event.to_string(),
        ..anything()
    }
}

fn query(query: &str) -> ListOrdersRequest {
    ListOrdersRequest {
        query: query.to_owned(),
        ..anything()
    }
}

fn email(email: &str) -> ListOrdersRequest {
    ListOrdersRequest {
        email: email.to_owned(),
        ..anything()
    }
}

async fn give_phone(desk: &Desk, order: &seed::Order, number: &str) {
    sqlx::query("UPDATE orders SET phone_number = $2 WHERE id = $1")
        .bind(order.id)
        .bind(number)
        .execute(&desk.pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_phone_number_is_found_by_its_end() {
    let desk = Desk::open().await;
    let event = Uuid::new_v4();
    let abroad = seed::order(&desk.pool, event, &[LINE]).await;
    give_phone(&desk, &abroad, "+442079460001").await;
    let here = seed::order(&desk.pool, event, &[LINE]).await;
    give_phone(&desk, &here, "02079460001").await;
    let (abroad, here) = (abroad.id.to_string(), here.id.to_string());
    for (text, expected) in [
        ("+44 20 7946 0001", vec![&abroad]),
        ("0044 (20) 7946-0001", vec![&abroad]),
        ("020 7946 0001", vec![&here, &abroad]),
        ("79460001", vec![&here, &abroad]),
        ("+44207946", vec![]),
        ("60001", vec![]),
    ] {
        let found = found(&desk, Clerk::superadmin(), query(text)).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{text}");
    }
}

#[tokio::test]
async fn each_filter_finds_its_orders_and_only_those_that_may_be_seen() {
    let desk = Desk::open().await;
    let (event, other) = (Uuid::new_v4(), Uuid::new_v4());
    let (sold, payment) = seed::sold(&desk.pool, event, &[LINE]).await;
    rename(&desk, &sold, "Grace@example.org", "Grace 100% Hopper").await;
    let open = seed::order(&desk.pool, event, &[LINE]).await;
    rename(&desk, &open, "ada@example.org", "Ada").await;
    let foreign = seed::order(&desk.pool, other, &[LINE]).await;
    rename(&desk, &foreign, "ada@example.org", "Adam").await;
    sqlx::query("UPDATE orders SET needs_attention = 'Look.' WHERE id = $1")
        .bind(open.id)
        .execute(&desk.pool)
        .await
        .unwrap();
    let [sold, open, foreign] = [sold.id, open.id, foreign.id].map(|id| id.to_string());
    let number = format!("bx-{}", &sold[..8]);
    let reference = format!("sbx_{payment}");
    let cases = [
        (anything(), vec![&foreign, &open, &sold]),
        (of_event(event), vec![&open, &sold]),
        (
            ListOrdersRequest {
                status: OrderStatus::Fulfilled.into(),
                ..anything()
            },
            vec![&sold],
        ),
        (
            ListOrdersRequest {
                needs_attention: true,
                ..anything()
            },
            vec![&open],
        ),
        (email("GRACE@example.org"), vec![&sold]),
        (email("grace"), vec![]),
        (query("grace@"), vec![&sold]),
        (query("ada"), vec![&foreign, &open]),
        (query("Grace 100%"), vec![&sold]),
        (query("%"), vec![]),
        (query(&number), vec![&sold]),
        (query(&sold), vec![&sold]),
        (query(&reference), vec![&sold]),
        (query("nobody"), vec![]),
    ];
    let clerk = desk.clerk_of(&[event]);
    let of_two = desk.clerk_of(&[event, Uuid::new_v4()]);
    for (request, expected) in cases {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        let all = found(&desk, Clerk::superadmin(), request.clone()).await;
        assert_eq!(all, expected, "{request:?}");
        let own: Vec<String> = expected.into_iter().filter(|id| *id != foreign).collect();
        for clerk in [clerk, of_two] {
            assert_eq!(
                found(&desk, clerk, request.clone()).await,
                own,
                "{request:?}"
            );
        }
        assert_eq!(
            found(&desk, desk.clerk_of(&[]), anything()).await,
            Vec::<String>::new()
        );
    }
    let request = of_event(other);
    assert_eq!(
        list(&desk, clerk, request).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn a_line_says_what_came_and_what_went() {
    let desk = Desk::open().await;
    let (order, payment) = seed::sold(&desk.pool, Uuid::new_v4(), &[LINE]).await;
    let back = seed::refund(&desk.pool, &order, payment, 1000, ("requested", "none")).await;
    seed::end_refund(&desk.pool, back.unwrap(), "succeeded").await;
    let answer = list(&desk, Clerk::superadmin(), ListOrdersRequest::default())
        .await
        .unwrap();
    let line = &answer.orders[0];
    let money = [&line.total_amount, &line.captured, &line.refunded];
    let money = money.map(|money| money.as_ref().unwrap().amount_minor);
    assert_eq!(money, [9000, 9000, 1000]);
    assert_eq!(
        (line.ticket_count, line.payment_ref.as_str()),
        (2, format!("sbx_{payment}").as_str())
    );
    assert!(line.paid_at.is_some());
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_or_a_repetition() {
    let desk = Desk::open().await;
    let event = Uuid::new_v4();
    seed::many(&desk.pool, event, 45).await;
    // All at once: the id decides.
    sqlx::raw_sql("UPDATE orders SET created_at = '2026-01-01 00:00Z'")
        .execute(&desk.pool)
        .await
        .unwrap();
    let mut request = ListOrdersRequest {
        page_size: 20,
        ..ListOrdersRequest::default()
    };
    let mut seen = Vec::new();
    for size in [20, 20, 5] {
        let page = list(&desk, Clerk::superadmin(), request.clone())
            .await
            .unwrap();
        assert_eq!(page.orders.len(), size);
        seen.extend(page.orders.into_iter().map(|order| order.id));
        request.page_token = page.next_page_token;
    }
    assert_eq!(request.page_token, "");
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    assert_eq!(seen.len(), 45);
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_of_its_field() {
    let desk = Desk::open().await;
    let good = ListOrdersRequest::default;
    let cases = [
        (
            "page_token",
            ListOrdersRequest {
                page_token: "x".to_owned(),
                ..good()
            },
        ),
        (
            "page_size",
            ListOrdersRequest {
                page_size: 101,
                ..good()
            },
        ),
        (
            "event_id",
            ListOrdersRequest {
                event_id: "x".to_owned(),
                ..good()
            },
        ),
        (
            "status",
            ListOrdersRequest {
                status: 99,
                ..good()
            },
        ),
        (
            "query",
            ListOrdersRequest {
                query: "x".repeat(321),
                ..good()
            },
        ),
    ];
    for (field, request) in cases {
        let status = list(&desk, Clerk::superadmin(), request).await.unwrap_err();
        let failure = Failure::from_status(&status);
        assert_eq!(failure.fields[0].field, field, "{failure:?}");
    }
}

/// Whatever is asked, an index leads to it, also once the statement is an old acquaintance.
#[tokio::test]
async fn a_list_reads_little_among_many_orders() {
    let desk = Desk::open().await;
    let event = Uuid::new_v4();
    seed::many(&desk.pool, event, 50_000).await;
    let rare = seed::order(&desk.pool, Uuid::new_v4(), &[LINE]).await;
    rename(&desk, &rare, "zoe@example.org", "Zoe").await;
    give_phone(&desk, &rare, "+15550100200").await;
    // All but the newest, which the others would be found on the way to.
    sqlx::query("UPDATE orders SET created_at = '2025-01-01 00:00Z' WHERE id = $1")
        .bind(rare.id)
        .execute(&desk.pool)
        .await
        .unwrap();
    sqlx::raw_sql("ANALYZE").execute(&desk.pool).await.unwrap();
    let good = ListOrdersRequest::default;
    let event_id = event.to_string();
    let cases = [
        ListOrdersRequest {
            event_id: rare.event.to_string(),
            ..good()
        },
        ListOrdersRequest {
            email: "zoe@example.org".to_owned(),
            ..good()
        },
        ListOrdersRequest {
            query: "zoe".to_owned(),
            ..good()
        },
        ListOrdersRequest {
            query: "0555 0100200".to_owned(),
            ..good()
        },
        ListOrdersRequest {
            event_id: event_id.clone(),
            query: "guest 49999".to_owned(),
            ..good()
        },
        ListOrdersRequest { event_id, ..good() },
        good(),
    ];
    let before = rows_read(&desk).await;
    // More often than a prepared statement keeps planning for its values by itself.
    for request in std::iter::repeat_n(cases, 12).flatten() {
        assert!(!found(&desk, Clerk::superadmin(), request).await.is_empty());
    }
    let read = rows_read(&desk).await - before;
    assert!(read < 20_000, "{read} rows for 84 lists");
}

/// In a rush nobody knows yet how many are due. Those that are taken are read, not all that wait for each few.
#[tokio::test(flavor = "multi_thread")]
async fn a_rush_of_due_orders_is_read_once() {
    const ORDERS: i32 = 4_000;
    let desk = Desk::open().await;
    seed::many(&desk.pool, Uuid::new_v4(), ORDERS).await;
    let before = rows_read(&desk).await;
    sqlx::query("UPDATE orders SET next_step_at = clock_timestamp()")
        .execute(&desk.pool)
        .await
        .unwrap();
    eventually("nothing to be due", Duration::from_secs(60), || async {
        let due = "SELECT EXISTS (SELECT FROM orders WHERE next_step_at IS NOT NULL)";
        let due: bool = sqlx::query_scalar(due).fetch_one(&desk.pool).await.unwrap();
        (!due).then_some(())
    })
    .await;
    let read = rows_read(&desk).await - before;
    assert!(read < 60_000, "{read} rows for {ORDERS} orders");
}

/// How many orders were read from the table, ever. Sessions tell it for sure when they end.
async fn rows_read(desk: &Desk) -> i64 {
    const SESSIONS: &str = "FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'payment-svc'";
    let end = format!(
        "WITH own AS MATERIALIZED (SELECT pid {SESSIONS})
         SELECT array_agg(pid) FROM own WHERE pg_terminate_backend(pid)"
    );
    let ended: Option<Vec<i32>> = sqlx::query_scalar(AssertSqlSafe(end))
        .fetch_one(&desk.pool)
        .await
        .unwrap();
    let ended = ended.unwrap_or_default();
    eventually("the sessions to end", Duration::from_secs(60), || async {
        let open = format!("SELECT count(*) {SESSIONS} AND pid = ANY($1)");
        let open = sqlx::query_scalar(AssertSqlSafe(open)).bind(&ended);
        let open: i64 = open.fetch_one(&desk.pool).await.unwrap();
        (open == 0).then_some(())
    })
    .await;
    sqlx::query_scalar(
        "SELECT (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
         FROM pg_stat_user_tables WHERE relname = 'orders'",
    )
    .fetch_one(&desk.pool)
    .await
    .unwrap()
}
