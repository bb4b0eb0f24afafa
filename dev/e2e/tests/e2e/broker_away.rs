//! Selling does not depend on the broker.

use std::time::{Duration, Instant};

use testkit::{NatsServer, on_time};

use crate::harness::{BoxOffice, OnSale, PATIENCE};

/// A publish waits 5 s for its acknowledgement; then the broker is known to be silent.
const FIRST_IN_SILENCE: Duration = Duration::from_secs(25);
const NEXT_IN_SILENCE: Duration = Duration::from_secs(4);

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
    office
        .mesh
        .lock()
        .await
        .stop_member(proto::Peer::Notify)
        .await
        .unwrap();
    let order = guest.buy(&on_sale, 1, "forgotten@example.org").await;
    guest.wait_for(&order, "fulfilled").await;
    office.nats.stop().await;
    office.nats.wipe().await;
    office.nats.start().await;
    office
        .mesh
        .lock()
        .await
        .start_member(proto::Peer::Notify)
        .await
        .unwrap();
    office
        .databases
        .payments
        .make_due("outbox", "next_attempt_at")
        .await;
    office.smtp.wait_for(1, PATIENCE).await;
    office.close().await;
}

/// Its sockets are open, and nobody answers.
#[tokio::test]
async fn purchases_and_receipts_go_on_while_nats_stands_still() {
    let office = BoxOffice::open().await;
    let on_sale = office.put_on_sale(1_000, 0).await;
    buy_free(&office, &on_sale, "before@example.org").await;
    office.smtp.wait_for(1, PATIENCE).await;

    office.nats.freeze().await;
    buy_free(&office, &on_sale, "first@example.org").await;
    office.smtp.wait_for(2, FIRST_IN_SILENCE).await;
    // A guest never notices.
    let mut mails = 2;
    on_time("a receipt", NEXT_IN_SILENCE, 3, async || {
        let begun = Instant::now();
        buy_free(&office, &on_sale, "next@example.org").await;
        mails += 1;
        office.smtp.wait_for(mails, PATIENCE).await;
        begun.elapsed()
    })
    .await;
    office.nats.thaw().await;
    buy_free(&office, &on_sale, "after@example.org").await;
    office.smtp.wait_for(mails + 1, PATIENCE).await;
    office.close().await;
}

async fn buy_free(office: &BoxOffice, on_sale: &OnSale, email: &str) {
    let guest = office.guest();
    let (_, hold) = guest.hold(on_sale, 1).await;
    let (_, order) = guest.order(&hold, email).await;
    guest.wait_for(&order, "fulfilled").await;
}
