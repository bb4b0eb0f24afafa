//! Selling does not depend on the broker.

use testkit::NatsServer;

use crate::harness::{BoxOffice, PATIENCE};

#[tokio::test]
async fn receipts_come_while_nats_is_absent_and_after_it_arrived() {
    let nats = NatsServer::reserve_private().await;
    let office = BoxOffice::open_with(nats, &[]).await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    let order = guest.buy(&on_sale, 1, "without@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(1, PATIENCE).await;

    office.nats.start().await;
    let order = guest.buy(&on_sale, 1, "with@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    office.smtp.wait_for(2, PATIENCE).await;
    office.close().await;
}

#[tokio::test]
async fn a_broker_that_forgets_everything_loses_no_receipt() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(10, 4500).await;
    let guest = office.guest();
    office.mesh.lock().await.stop_member(proto::Peer::Notify).await.unwrap();
    let order = guest.buy(&on_sale, 1, "forgotten@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    office.nats.stop().await;
    office.nats.wipe().await;
    office.nats.start().await;
    office.mesh.lock().await.start_member(proto::Peer::Notify).await.unwrap();
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}
