//! Webhooks only speed things up: dropped, doubled and out of order, every payment settles.

use proto::Peer;
use testkit::NatsServer;

use super::{LONG, Times, address, each, ledgers_agree, ordered, pay, size, until_count};
use crate::{guest::CARD_OK, harness::BoxOffice};

const PURCHASES: usize = 2_000;

#[tokio::test]
async fn all_webhooks_are_lost() {
    settle_under("loss=1").await;
}

#[tokio::test]
async fn webhooks_come_twice_late_and_out_of_order() {
    settle_under("delay_ms=200,loss=0.3,duplicate=0.5,disorder=0.5").await;
}

/// Guests who pay and do not come back, so that nobody but webhook and reconciler asks.
async fn settle_under(faults: &str) {
    let settings = [(Peer::Payment, "sandbox-webhook-faults", faults.to_owned())];
    let office = BoxOffice::open_with(NatsServer::start_private().await, &settings).await;
    let purchases = size(PURCHASES);
    let on_sale = office.put_on_sale(purchases as i64, 4500).await;
    each(purchases, async |number| {
        let guest = office.guest();
        let order = ordered(&guest, &on_sale, &address(number)).await;
        pay(&guest, &order, CARD_OK).await;
    })
    .await;
    let pool = office.databases.payments.pool().await;
    let fulfilled = "SELECT count(*) FROM orders WHERE status = 'fulfilled'";
    until_count(&pool, "fulfilled", fulfilled, purchases).await;
    let times = Times::read(
        &pool,
        "SELECT extract(epoch FROM e.at - s.settled_at)::float8
         FROM order_events e JOIN sandbox.sessions s ON s.order_id = e.order_id
         WHERE e.to_status = 'fulfilled' AND s.status = 'succeeded'",
    )
    .await;
    println!("webhooks with {faults}: paid to ticketed, {times}");
    ledgers_agree(&pool).await;
    office.smtp.wait_for(purchases, LONG).await;
    office.close().await;
}
