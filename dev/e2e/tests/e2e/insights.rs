//! What a concert sold, and who looked at it, as an admin sees it over HTTP.

use std::cell::Cell;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::eventually;

use crate::harness::{BoxOffice, OnSale, PATIENCE};

/// The figures of one concert, as soon as they are as expected.
async fn until(office: &BoxOffice, on_sale: &OnSale, right: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/v1/admin/insights?event_id={}", on_sale.event_id);
    eventually("the figures", PATIENCE, async || {
        let (status, told) = office.admin_get(&path).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        let event = told["events"][0].clone();
        right(&event).then_some(event)
    })
    .await
}

/// Looks at the event; answers the status.
async fn look(office: &BoxOffice, method: Method, path: &str, known: Option<&str>) -> StatusCode {
    let request = office.client.request(method, office.url(path));
    let request = match known {
        Some(tag) => request.header("if-none-match", tag),
        None => request,
    };
    request.send().await.unwrap().status()
}

fn eur(minor: i64) -> Value {
    json!({"amount_minor": minor, "currency": "EUR"})
}

/// How often somebody looked. Nobody looks anew where nothing has changed, and nobody who asks for the head alone.
async fn some_looks(office: &BoxOffice, on_sale: &OnSale) -> u64 {
    let rest = format!("/api/v1/events/{}", on_sale.event_id);
    let looks = Cell::new(0);
    let event = eventually("nothing changes any more", PATIENCE, async || {
        let answer = office.client.get(office.url(&rest)).send().await.unwrap();
        looks.set(looks.get() + 1);
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        match look(office, Method::GET, &rest, Some(&tag)).await {
            StatusCode::NOT_MODIFIED => Some(answer.json::<Value>().await.unwrap()),
            // The concert was still being put on sale.
            status => {
                assert_eq!(status, StatusCode::OK);
                looks.set(looks.get() + 1);
                None
            }
        }
    })
    .await;
    let page = format!("/events/{}", event["slug"].as_str().unwrap());
    assert_eq!(look(office, Method::GET, &page, None).await, StatusCode::OK);
    assert_eq!(look(office, Method::GET, &page, None).await, StatusCode::OK);
    assert_eq!(
        look(office, Method::HEAD, &page, None).await,
        StatusCode::OK
    );
    assert_eq!(
        look(office, Method::HEAD, &rest, None).await,
        StatusCode::OK
    );
    let nothing = look(office, Method::GET, "/events/nowhere", None).await;
    assert_eq!(nothing, StatusCode::NOT_FOUND);
    looks.get() + 2
}

async fn a_list_and_other_periods(office: &BoxOffice, on_sale: &OnSale, total: &Value) {
    let all = office.admin_get("/api/v1/admin/insights").await.1;
    assert_eq!(&all["events"][0]["total"], total);
    assert_eq!(all["events"][0]["by_time"], json!([]));
    let past = format!(
        "/api/v1/admin/insights?event_id={}&to=2020-01-01",
        on_sale.event_id
    );
    let past = office.admin_get(&past).await.1;
    assert_eq!(past["events"][0]["total"]["revenue"], json!([eur(0)]));
    for wrong in [
        "from=tomorrow",
        "bucket=year",
        "format=xml",
        "from=2027-01-02&to=2027-01-01",
    ] {
        let path = format!(
            "/api/v1/admin/insights?event_id={}&{wrong}",
            on_sale.event_id
        );
        let (status, told) = office.admin_get(&path).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {told}");
    }
}

#[tokio::test]
async fn a_sale_shows_itself_from_a_look_to_the_last_cent() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let looks = some_looks(&office, &on_sale).await;
    let order = guest.buy(&on_sale, 2, "anezka@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    guest.hold(&on_sale, 3).await;
    let refund = json!({
        "lines": [{"ticket_type_id": on_sale.ticket_type_id, "quantity": 1}],
        "reason": "One of you is ill.",
    });
    let path = format!(
        "/api/v1/admin/orders/{}/refunds",
        order["id"].as_str().unwrap()
    );
    let (status, body) = office.admin_post(&path, &refund).await;
    assert!(status.is_success(), "{body}");

    let shown = until(&office, &on_sale, |event| {
        event["total"]["views"] == looks && event["taken"] == 1
    })
    .await;
    let total = json!({
        "views": looks, "holds": 2, "orders": 1, "paid_orders": 1, "sold": 2, "refunded": 1,
        "revenue": [eur(9000)], "refunds": [eur(4500)],
    });
    assert_eq!(shown["total"], total);
    assert_eq!((&shown["held"], &shown["free"]), (&json!(3), &json!(6)));
    assert_eq!(shown["conversion"]["orders_to_paid"], json!(1.0));
    assert_eq!(shown["conversion"]["holds_to_orders"], json!(0.5));
    let kind = &shown["by_type"][0];
    assert_eq!(
        (&kind["category"], &kind["sold"]),
        (&json!("Standing"), &json!(2))
    );
    assert_eq!(
        (&kind["revenue"], &kind["refunds"]),
        (&eur(9000), &eur(4500))
    );
    let sums = shown["by_time"].as_array().unwrap().iter();
    let sold: i64 = sums.map(|piece| piece["sold"].as_i64().unwrap()).sum();
    assert_eq!(sold, 2);

    a_list_and_other_periods(&office, &on_sale, &total).await;
    office.close().await;
}

#[tokio::test]
async fn a_spreadsheet_takes_no_title_for_a_formula() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let path = format!("/api/v1/admin/events/{}", on_sale.event_id);
    let title = json!({"title": "=HYPERLINK(\"http://x\",\"y\")"});
    let (status, told) = office.admin_call(Method::PATCH, &path, &title).await;
    assert!(status.is_success(), "{told}");
    let kind = format!("/api/v1/admin/ticket-types/{}", on_sale.ticket_type_id);
    let category = json!({"category": "@Standing, \"front\""});
    let (status, told) = office.admin_call(Method::PATCH, &kind, &category).await;
    assert!(status.is_success(), "{told}");
    let order = office.guest().buy(&on_sale, 2, "anezka@example.org").await;
    office.guest().wait_for(&order, "fulfilled").await;

    let path = format!("/api/v1/admin/insights?event_id={}", on_sale.event_id);
    let token = office.admin_token().await.to_owned();
    let request = office.client.get(office.url(&path)).bearer_auth(&token);
    let answer = request.header("accept", "text/csv").send().await.unwrap();
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("text/csv"), "{kind}");
    let by_header = answer.text().await.unwrap();
    let path = format!("{path}&format=csv");
    let request = office.client.get(office.url(&path)).bearer_auth(&token);
    let by_word = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(by_header, by_word);
    let lines: Vec<&str> = by_word.trim_start_matches('\u{feff}').lines().collect();
    assert!(
        lines[0].starts_with("event_id,event_title,start,"),
        "{by_word}"
    );
    assert!(lines[1].contains(",\"'=HYPERLINK("), "{by_word}");
    let sold = lines.iter().find(|line| line.contains("Standing")).unwrap();
    assert!(
        sold.contains(",\"'@Standing, \"\"front\"\"\","),
        "{by_word}"
    );
    assert!(sold.ends_with(",2,0,90.00,0.00,90.00,EUR"), "{by_word}");
    office.close().await;
}
