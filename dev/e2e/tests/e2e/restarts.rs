//! Services that go away and come back.

use proto::Peer;
use reqwest::StatusCode;

use crate::harness::{BoxOffice, PATIENCE};

#[tokio::test]
async fn notify_svc_stopped_and_started_again_sends_what_it_missed() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    office
        .mesh
        .lock()
        .await
        .stop_member(Peer::Notify)
        .await
        .unwrap();
    let order = guest.buy(&on_sale, 1, "missed@example.org").await;
    let order = guest.wait_for(&order, "fulfilled").await;
    assert_eq!(
        order["tickets"].as_array().unwrap().len(),
        1,
        "tickets come before any mail"
    );
    assert!(office.smtp.messages().is_empty());
    office
        .mesh
        .lock()
        .await
        .start_member(Peer::Notify)
        .await
        .unwrap();
    let mails = office.smtp.wait_for(1, PATIENCE).await;
    assert_eq!(mails[0].to, ["missed@example.org"]);
    office.close().await;
}

#[tokio::test]
async fn payment_svc_restarted_after_the_payment_fulfils_the_order() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let (status, hold) = guest.hold(&on_sale, 1).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, order) = guest.order(&hold, "restart@example.org").await;
    office
        .mesh
        .lock()
        .await
        .stop_member(Peer::Ticket)
        .await
        .unwrap();
    guest.pay(&order, crate::guest::CARD_OK).await;
    guest.wait_for(&order, "paid").await;
    office
        .mesh
        .lock()
        .await
        .stop_member(Peer::Payment)
        .await
        .unwrap();
    office
        .mesh
        .lock()
        .await
        .start_member(Peer::Ticket)
        .await
        .unwrap();
    office
        .mesh
        .lock()
        .await
        .start_member(Peer::Payment)
        .await
        .unwrap();
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}
