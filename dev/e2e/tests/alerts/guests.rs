//! What guests and admins would notice.

use std::{net::Ipv4Addr, time::Duration};

use futures::{StreamExt as _, future::join_all, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use testkit::{eventually, keys::idempotency_key};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    ROOM,
    harness::{BoxOffice, OnSale, PATIENCE},
    stock::transaction,
    watch::Watch,
};

/// In a minute: more than `EdgeFails` wants of all requests.
const ORDERS: usize = 20;
/// More than one a second.
const WRONG_LOGINS: u32 = 75;
/// As many as wait for a hash on the smallest machine; more would be sent away unheard.
const LOGINS_AT_ONCE: usize = 3;
/// More than one a second of these is refused.
const TOO_MANY: usize = ROOM + 80;
/// More than the alert is about.
const STREAMS: usize = 3_510;
/// Less than the gateway has room for.
const STREAMS_AT_ONCE: usize = 20;
const LOCK: &str = "BEGIN; SELECT 1 FROM pools FOR UPDATE";

pub async fn see_faults(office: &BoxOffice, watch: &Watch) {
    let hall = office.put_on_sale(10_000, 0).await;
    cannot_order(office, watch, &hall).await;
    try_passwords(office, watch).await;
    wait_for_locked_pools(office, watch, &hall).await;
    are_too_many(office, watch, &hall).await;
    watch_in_thousands(office, watch, &hall).await;
}

/// payment-svc loses its database.
pub async fn cannot_order(office: &BoxOffice, watch: &Watch, on_sale: &OnSale) {
    let name = &office.databases.payments.name;
    let door = |open: bool| format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS {open}");
    let mut admin = elsewhere(&office.databases.payments.admin_url()).await;
    let hold = a_hold(office, on_sale).await;
    let order = async || {
        let (status, _) = office.guest().order(&hold, "during@example.org").await;
        assert!(status.is_server_error(), "{status}");
    };
    watch
        .fires(&["OrdersFail", "CallsFail", "EdgeFails"], async || {
            admin.execute(AssertSqlSafe(door(false))).await.unwrap();
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
            let end = sqlx::query(end).bind(name);
            end.execute(&mut admin).await.unwrap();
            join_all((0..ORDERS).map(|_| order())).await;
        })
        .await;
    admin.execute(AssertSqlSafe(door(true))).await.unwrap();
    eventually("orders are taken again", PATIENCE, async || {
        let hold = a_hold(office, on_sale).await;
        let (status, _) = office.guest().order(&hold, "after@example.org").await;
        (status == StatusCode::CREATED).then_some(())
    })
    .await;
}

/// On a busy machine somebody may be told to come again.
pub async fn a_hold(office: &BoxOffice, on_sale: &OnSale) -> Value {
    eventually("a hold", PATIENCE, async || {
        let (status, hold) = office.guest().hold(on_sale, 1).await;
        (status == StatusCode::CREATED).then_some(hold)
    })
    .await
}

/// The same server, by a database that stays.
async fn elsewhere(url: &str) -> PgConnection {
    let mut url = url::Url::parse(url).unwrap();
    url.set_path("postgres");
    PgConnection::connect(url.as_str()).await.unwrap()
}

/// Each from a network of its own and at an account of its own: what comes from one is braked.
async fn try_passwords(office: &BoxOffice, watch: &Watch) {
    watch
        .fires(&["LoginsRefused"], async || {
            let tries = (0..WRONG_LOGINS).map(|number| wrong_login(office, number));
            let tries = stream::iter(tries).buffer_unordered(LOGINS_AT_ONCE);
            tries.collect::<()>().await;
        })
        .await;
}

async fn wrong_login(office: &BoxOffice, number: u32) {
    let network = Ipv4Addr::from_bits(0x0B00_0000 + number);
    let login =
        json!({"email": format!("admin{number}@example.org"), "password": "a wrong one, tried"});
    let request = office.client.post(office.url("/api/v1/auth/login"));
    let request = request.header("x-forwarded-for", network.to_string());
    let answer = request.json(&login).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

/// Somebody's transaction has locked the pools and does not end: holds wait.
async fn wait_for_locked_pools(office: &BoxOffice, watch: &Watch, on_sale: &OnSale) {
    watch
        .fires(&["HoldsSlow", "CallsSlow"], async || {
            let locked = transaction(&office.databases.tickets, LOCK).await;
            crowd(office, on_sale, ROOM / 2).join_all().await;
            drop(locked);
        })
        .await;
}

/// More guests come than there is room for, because nobody gets on.
async fn are_too_many(office: &BoxOffice, watch: &Watch, on_sale: &OnSale) {
    watch
        .fires(&["EdgeOverloaded"], async || {
            let locked = transaction(&office.databases.tickets, LOCK).await;
            crowd(office, on_sale, TOO_MANY).join_all().await;
            drop(locked);
        })
        .await;
}

/// Guests who all want a ticket now.
fn crowd(office: &BoxOffice, on_sale: &OnSale, count: usize) -> JoinSet<()> {
    let mut guests = JoinSet::new();
    for _ in 0..count {
        let request = office.client.post(office.url("/api/v1/holds"));
        let body = json!({
            "event_id": on_sale.event_id,
            "lines": [{"ticket_type_id": on_sale.ticket_type_id, "quantity": 1}],
        });
        let request = request.header("idempotency-key", idempotency_key());
        let request = request.json(&body);
        guests.spawn(async move { drop(request.send().await) });
    }
    guests
}

async fn watch_in_thousands(office: &BoxOffice, watch: &Watch, on_sale: &OnSale) {
    let mut open: Vec<TcpStream> = Vec::new();
    watch
        .fires(&["StreamsNearlyFull"], async || {
            while open.len() < STREAMS {
                let some = (0..STREAMS_AT_ONCE).map(|_| watch_stock(office, on_sale));
                open.extend(join_all(some).await);
            }
            watch
                .until("availability_streams_open", |open| open >= STREAMS as f64)
                .await;
        })
        .await;
}

/// One who watches what is left, and has heard of it.
async fn watch_stock(office: &BoxOffice, on_sale: &OnSale) -> TcpStream {
    let host = office.http.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let path = format!("/api/v1/events/{}/availability/stream", on_sale.event_id);
    let ask = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut answer));
    read.await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    stream
}
