//! One purchase, three legs.

use std::time::Duration;

use reqwest::StatusCode;

use crate::{
    guest::{CARD_DECLINED, CARD_OK},
    harness::{BoxOffice, PATIENCE},
};

#[tokio::test]
async fn a_guest_holds_pays_and_gets_a_receipt_with_tickets() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();

    let order = guest.buy(&on_sale, 2, "anezka@example.org").await;
    assert_eq!(order["total_amount"]["amount_minor"], 9000);
    let fulfilled = guest.wait_for(&order, "fulfilled").await;
    let codes: Vec<&str> = fulfilled["tickets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes.len(), 2);
    assert_ne!(codes[0], codes[1]);

    let mails = office.smtp.wait_for(1, PATIENCE).await;
    assert_eq!(mails[0].to, ["anezka@example.org"]);
    // Quoted-printable breaks long lines with a trailing `=`.
    let mail = mails[0].data.replace("=\r\n", "");
    for part in [
        fulfilled["number"].as_str().unwrap(),
        codes[0],
        codes[1],
        "application/pdf",
        "text/calendar",
    ] {
        assert!(mail.contains(part), "the mail lacks {part}");
    }

    let (status, pdf) = guest.document(&order, "tickets.pdf").await;
    assert_eq!(status, StatusCode::OK);
    assert!(pdf.starts_with(b"%PDF-"));
    let (status, calendar) = guest.document(&order, "calendar.ics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        String::from_utf8(calendar)
            .unwrap()
            .contains("TZID=Europe/Prague")
    );
    office.close().await;
}

#[tokio::test]
async fn a_declined_card_can_be_followed_by_one_that_works() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 4500).await;
    let guest = office.guest();
    let (_, hold) = guest.hold(&on_sale, 1).await;
    let (_, order) = guest.order(&hold, "second@example.org").await;
    guest.pay(&order, CARD_DECLINED).await;

    testkit::eventually("the decline to arrive", PATIENCE, async || {
        let (_, now) = guest.see(&order).await;
        (now["payment"]["status"] == "failed").then_some(())
    })
    .await;
    let (status, retried) = guest.act(&order, "payments").await;
    assert!(status.is_success(), "{retried}");
    assert_ne!(
        retried["payment"]["payment_ref"],
        order["payment"]["payment_ref"]
    );
    guest.pay(&order, CARD_OK).await;
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn a_free_ticket_needs_no_provider() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(5, 0).await;
    let guest = office.guest();
    let (_, hold) = guest.hold(&on_sale, 3).await;
    let (status, order) = guest.order(&hold, "free@example.org").await;
    assert_eq!(status, StatusCode::CREATED, "{order}");
    let order = guest.wait_for(&order, "fulfilled").await;
    assert_eq!(order["tickets"].as_array().unwrap().len(), 3);
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn a_cancelled_order_gives_the_stock_back() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1, 4500).await;
    let (first, second) = (office.guest(), office.guest());
    let (_, hold) = first.hold(&on_sale, 1).await;
    let (_, order) = first.order(&hold, "first@example.org").await;
    let (status, refusal) = second.hold(&on_sale, 1).await;
    assert_eq!(
        (status, refusal["reason"].as_str()),
        (StatusCode::CONFLICT, Some("HELD_BY_OTHERS"))
    );

    let (status, cancelled) = first.act(&order, "cancel").await;
    assert_eq!(status, StatusCode::OK, "{cancelled}");
    assert_eq!(cancelled["status"], "cancelled");
    let order = second.buy(&on_sale, 1, "second@example.org").await;
    second.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn an_unpaid_order_expires_and_frees_its_stock() {
    let short = [(proto::Peer::Ticket, "card-payment-secs", "1".to_owned())];
    let nats = testkit::NatsServer::start_private().await;
    let office = BoxOffice::open_with(nats, &short).await;
    let on_sale = office.put_on_sale(1, 4500).await;
    let guest = office.guest();
    let (_, hold) = guest.hold(&on_sale, 1).await;
    let (_, order) = guest.order(&hold, "late@example.org").await;
    guest.wait_for(&order, "expired").await;
    let other = office.guest();
    testkit::eventually(
        "the stock to be free",
        Duration::from_secs(60),
        async || {
            let (status, _) = other.hold(&on_sale, 1).await;
            (status == StatusCode::CREATED).then_some(())
        },
    )
    .await;
    office.close().await;
}
