//! PostgreSQL dies and its standby takes over, while guests buy: docs/operations.md ("Failover of PostgreSQL") as a
//! test. What a guest was told stands in the standby, because a commit is answered when both have it.

use std::time::Instant;

use sqlx::migrate::Migrator;
use testkit::{Direction, FaultProxy, NatsServer, PostgresServer, TestDb, eventually};
use url::Url;

use crate::{
    drills::{LONG, count, shop::Shop},
    harness::{BoxOffice, TestDatabases},
};

const GUESTS_AT_ONCE: usize = 6;
/// Of one request: guests wait longer than a failover takes.
const TRIES: usize = 240;

/// Tickets, and guests who are served before.
fn size() -> (usize, usize) {
    match std::env::var("E2E_DRILLS").as_deref() {
        Ok("full") => (2_000, 500),
        _ => (30, 6),
    }
}

/// A database in this server that services know by the address that moves.
async fn database(
    primary: &PostgresServer,
    address: &FaultProxy,
    name: &str,
    migrator: &Migrator,
) -> TestDb {
    let mut database = primary.database(name, migrator).await;
    let mut url = Url::parse(&database.url).unwrap();
    url.set_port(Some(address.addr().port())).unwrap();
    database.url = url.into();
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standby_has_every_order_that_a_guest_was_told_of() {
    let (stock, guests_before) = size();
    let primary = PostgresServer::start_private().await;
    // Services know one address, whoever answers there. The standby follows the primary over a wire of its own.
    let address = FaultProxy::before(primary.admin_url()).await;
    let wire = FaultProxy::before(primary.admin_url()).await;
    let databases = TestDatabases {
        users: database(&primary, &address, "users", &user_svc::MIGRATOR).await,
        tickets: database(&primary, &address, "tickets", &ticket_svc::MIGRATOR).await,
        payments: database(&primary, &address, "payments", &payment_svc::MIGRATOR).await,
        notifications: database(&primary, &address, "notifications", &notify_svc::MIGRATOR).await,
    };
    let standby = primary.standby(wire.url()).await;
    primary.commit_in_two_places().await;
    let http = "127.0.0.1:0".parse().unwrap();
    let nats = NatsServer::start_private().await;
    let office = BoxOffice::open_on(databases, http, nats, &[], None).await;
    let on_sale = office.put_on_sale(stock as i64, 4500).await;
    let token = office.admin_token().await.to_owned();
    let shop = Shop::new(vec![office.http.clone()], TRIES, on_sale, token);
    let queues = shop.open(GUESTS_AT_ONCE);
    shop.serves(guests_before).await;

    // Nothing reaches the standby any more, so nobody may be told anything. Who waits shows that somebody came; who was
    // told something that only the primary knows will miss it below.
    wire.lose(Direction::Down, true);
    let promised = shop.promised();
    eventually("guests to come", LONG, async || {
        let waiting = primary.waiting_for_standby().await;
        (waiting > 2 || shop.promised() > promised + 2).then_some(())
    })
    .await;
    primary.kill().await;
    let died = Instant::now();
    standby.promote().await;
    address.lead_to(standby.admin_url());
    address.reset_connected();
    println!("the standby leads after {:.1?}", died.elapsed());
    let promised = shop.promised();
    eventually("an order", LONG, async || {
        (shop.promised() > promised).then_some(())
    })
    .await;
    println!("orders are taken again after {:.1?}", died.elapsed());

    let sales = shop.sell_out(queues).await;
    println!(
        "{} of {stock} tickets were sold, {} requests were made again",
        sales.served, sales.again
    );
    assert_eq!(sales.failed, [""; 0]);
    assert_eq!(sales.served, stock, "exactly what there was");
    let payments = office.databases.payments.pool().await;
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT id::text FROM orders WHERE status = 'fulfilled'")
            .fetch_all(&payments)
            .await
            .unwrap();
    let lost = sales.promised.iter().filter(|id| !stored.contains(id));
    assert_eq!(lost.collect::<Vec<_>>(), [""; 0], "orders are gone");
    let tickets = office.databases.tickets.pool().await;
    let sold = "SELECT sum(sold)::bigint FROM pools";
    assert_eq!(count(&tickets, sold).await, stock as i64);
    office.close().await;
}
