//! What an admin does with a concert whose sale has begun, as guests meet it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{BoxOffice, OnSale, PATIENCE};

/// Changes the one ticket type of a concert.
async fn change(office: &BoxOffice, on_sale: &OnSale, change: Value) -> Value {
    let path = format!("/api/v1/admin/ticket-types/{}", on_sale.ticket_type_id);
    let (status, changed) = office.admin_call(Method::PATCH, &path, &change).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    changed
}

#[tokio::test]
async fn a_guest_gets_no_more_than_one_may_have_and_what_is_kept_back_nobody() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let kept_back = json!({"max_per_guest": 2, "blocked": 7});
    let kind = change(&office, &on_sale, kept_back).await;
    assert_eq!(kind["remaining"], 3);
    let guest = office.guest();
    let order = guest.buy(&on_sale, 2, "anezka@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    // However the address is written.
    let (_, hold) = guest.hold(&on_sale, 1).await;
    let (status, refusal) = guest.order(&hold, "Anezka@Example.org").await;
    assert_eq!(status, StatusCode::CONFLICT, "{refusal}");
    assert_eq!(refusal["reason"], "LIMIT_EXCEEDED");
    // Somebody else may have the last one, and then there is none.
    let (status, order) = guest.order(&hold, "boris@example.org").await;
    assert_eq!(status, StatusCode::CREATED, "{order}");
    let (status, refusal) = guest.hold(&on_sale, 1).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refusal}");
    let (status, _) = guest.act(&order, "cancel").await;
    assert_eq!(status, StatusCode::OK);
    change(&office, &on_sale, json!({"max_per_guest": null})).await;
    let order = guest.buy(&on_sale, 1, "anezka@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(2, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn a_concert_is_postponed_copied_and_put_away() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 1, "anezka@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    let event = format!("/api/v1/admin/events/{}", on_sale.event_id);
    let date = json!({
        "date_time": "2031-09-12T20:00:00+02:00",
        "reason": "Flooding in the cellar.",
    });
    let (status, told) = office.admin_post(&format!("{event}/postpone"), &date).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let shown = format!("/api/v1/events/{}", on_sale.event_id);
    testkit::eventually("guests see the new date", PATIENCE, async || {
        let (_, seen) = guest.call(Method::GET, &shown).await;
        let dates = (&seen["date_time"], &seen["previous_date_time"]);
        let expected = (
            &json!("2031-09-12T18:00:00Z"),
            &json!("2031-06-12T18:00:00Z"),
        );
        (dates == expected).then_some(())
    })
    .await;
    // Whoever has tickets is told, and the order knows.
    let mails = office.smtp.wait_for(2, PATIENCE).await;
    assert_eq!(mails[1].to, ["anezka@example.org"]);
    assert!(mails[1].data.contains("Flooding in the cellar."));
    let (_, seen) = guest.see(&order).await;
    assert_eq!(seen["event"]["date_time"], "2031-09-12T18:00:00Z", "{seen}");

    let (status, refusal) = office.admin_call(Method::DELETE, &event, &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refusal}");
    assert_eq!(refusal["reason"], "HAS_SALES");
    let date = json!({"date_time": "2032-06-11T18:00:00Z", "title": "Again"});
    let (status, copy) = office.admin_post(&format!("{event}/clone"), &date).await;
    assert_eq!(status, StatusCode::CREATED, "{copy}");
    assert_eq!(copy["ticket_types"][0]["remaining"], 10);
    let copy = format!("/api/v1/admin/events/{}", copy["id"].as_str().unwrap());
    let (status, _) = office.admin_call(Method::DELETE, &copy, &json!({})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);

    let (status, _) = office
        .admin_post(&format!("{event}/archive"), &json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    testkit::eventually("guests see it no more", PATIENCE, async || {
        let (status, _) = guest.call(Method::GET, &shown).await;
        (status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
    let (status, kept) = guest.see(&order).await;
    assert_eq!(
        (status, &kept["status"]),
        (StatusCode::OK, &json!("fulfilled"))
    );
    assert_eq!(office.smtp.messages().len(), 2);
    office.close().await;
}
