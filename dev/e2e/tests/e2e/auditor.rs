//! Somebody writes past the service: the sale of that pool stops within seconds, and goes on when a
//! superadmin has decided.

use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::Executor as _;
use testkit::eventually;

use crate::{
    guest::CARD_OK,
    harness::{BoxOffice, OnSale, PATIENCE},
    invariants,
};

async fn is_audited(office: &BoxOffice) {
    let tickets = office.databases.tickets.pool().await;
    eventually("every pool is audited", PATIENCE, async || {
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pools WHERE id NOT IN (SELECT pool_id FROM pool_audits)",
        )
        .fetch_one(&tickets)
        .await
        .unwrap();
        (left == 0).then_some(())
    })
    .await;
}

/// A counter is changed by SQL; answers once guests are refused for it.
async fn tamper(office: &BoxOffice, on_sale: &OnSale) {
    let mut tickets = office.databases.tickets.connect().await;
    let sql = sqlx::query(
        "UPDATE pools SET sold = sold + 1
         WHERE id = (SELECT pool_id FROM ticket_types WHERE id = $1::uuid)",
    );
    tickets
        .execute(sql.bind(on_sale.ticket_type_id.clone()))
        .await
        .unwrap();
    let guest = office.guest();
    eventually("the sale is halted", PATIENCE, async || {
        let (status, answer) = guest.hold(on_sale, 1).await;
        if status == StatusCode::CREATED {
            return None;
        }
        assert_eq!(
            (status, answer["reason"].as_str()),
            (StatusCode::CONFLICT, Some("SALES_HALTED")),
            "{answer}"
        );
        Some(())
    })
    .await;
}

#[tokio::test]
async fn a_counter_that_was_changed_stops_its_sale_and_no_other() {
    let office = BoxOffice::open().await;
    let (on_sale, other) = (
        office.put_on_sale(10_000, 4500).await,
        office.put_on_sale(100, 4500).await,
    );
    let guest = office.guest();
    let (_, hold) = guest.hold(&on_sale, 2).await;
    let (_, order) = guest.order(&hold, "held-before@example.org").await;
    is_audited(&office).await;
    tamper(&office, &on_sale).await;

    let path = format!("/api/v1/events/{}", on_sale.event_id);
    eventually("the page says so", PATIENCE, async || {
        let (_, event) = guest.call(Method::GET, &path).await;
        (event["ticket_types"][0]["availability"] == "halted").then_some(())
    })
    .await;
    let elsewhere = guest.buy(&other, 1, "elsewhere@example.org").await;
    guest.wait_for(&elsewhere, "fulfilled").await;
    // Who had tickets in hand gets them.
    guest.pay(&order, CARD_OK).await;
    guest.wait_for(&order, "fulfilled").await;

    let report = invariants::examine(&office).await;
    let waiting: Vec<_> = report.attention.iter().map(|found| found.rule).collect();
    assert_eq!(waiting, ["sales-are-halted"], "{report}");
    let (_, list) = office.admin_get("/api/v1/admin/halted-pools").await;
    let pool = &list["pools"][0];
    assert_eq!(
        (&pool["event_id"], list["pools"].as_array().unwrap().len()),
        (&json!(on_sale.event_id), 1)
    );
    assert_eq!(
        (&pool["counters"]["sold"], &pool["ledger"]["sold"]),
        (&json!(3), &json!(2))
    );
    let path = format!(
        "/api/v1/admin/pools/{}/resume",
        pool["id"].as_str().unwrap()
    );
    let decision = json!({"believe": "ledger", "note": "An exercise."});
    let (status, resumed) = office.admin_post(&path, &decision).await;
    assert_eq!(
        (status, &resumed["counters"]["sold"]),
        (StatusCode::OK, &json!(2)),
        "{resumed}"
    );
    let again = guest.buy(&on_sale, 1, "after@example.org").await;
    guest.wait_for(&again, "fulfilled").await;
    let (_, list) = office.admin_get("/api/v1/admin/halted-pools").await;
    assert_eq!(list["pools"], json!([]));
    office.smtp.wait_for(3, PATIENCE).await;
    office.close().await;
}
