//! The limits that store: databases of their own on the same server, and the programs in front of them.

use std::{net::SocketAddr, time::Duration};

use anyhow::ensure;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    admin::OnSale,
    audit::Audit,
    bench::Bench,
    drive::{self, Until},
    hold_guest::{History, Wish},
    limits::{Limit, naive},
    mesh::BoxOffice,
    sql,
    stats::{per_op, rate},
    w3_hot_sale::GUESTS,
};

pub const PLENTY: u64 = 1_000_000_000;
const CONTROL_STOCK: u64 = 500;

/// The naive way and the chain that stores nothing.
pub struct Scratch {
    database: PgConnection,
    naive: Limit,
    echo: Limit,
}

impl Scratch {
    pub async fn start(bench: &Bench, office: &BoxOffice) -> anyhow::Result<Self> {
        let url = make(office, "bench_naive", true).await?;
        Ok(Self {
            database: sql::connect(&url).await?,
            naive: bench.limit("naive", &[("--database-url", &url)]).await?,
            echo: bench.limit("echo", &[]).await?,
        })
    }

    pub fn naive_addr(&self) -> SocketAddr {
        self.naive.addr
    }

    /// A new pool.
    pub async fn stock(&mut self, capacity: u64) -> anyhow::Result<OnSale> {
        stock(&mut self.database, capacity).await
    }

    /// Durable holds per second with a transaction for each, and CPU-µs for one.
    pub async fn naive(
        &mut self,
        bench: &Bench,
        office: &BoxOffice,
        lasting: Duration,
    ) -> anyhow::Result<(f64, f64)> {
        let on_sale = self.stock(PLENTY).await?;
        let (addr, own) = (self.naive.addr, self.naive.meter());
        let postgres = office.meter().postgres();
        let before = own.read() + postgres.read();
        let (granted, took, _) = storm(bench, addr, on_sale, Until::after(lasting)).await?;
        let cpu = (own.read() + postgres.read()).saturating_sub(before);
        Ok((rate(granted, took), per_op(cpu, granted)))
    }

    /// The same path with nothing behind it.
    pub async fn echo(&mut self, bench: &Bench, lasting: Duration) -> anyhow::Result<(f64, f64)> {
        let before = self.echo.meter().read();
        let on_sale = nothing(PLENTY);
        let (granted, took, _) =
            storm(bench, self.echo.addr, on_sale, Until::after(lasting)).await?;
        let cpu = self.echo.meter().read().saturating_sub(before);
        Ok((rate(granted, took), per_op(cpu, granted)))
    }

    /// The negative control: without a guard and without its CHECK the same audit must find that more was sold than
    /// there is. So many more.
    pub async fn control(&mut self, bench: &Bench, office: &BoxOffice) -> anyhow::Result<Audit> {
        let url = make(office, "bench_control", false).await?;
        let mut database = sql::connect(&url).await?;
        let on_sale = stock(&mut database, CONTROL_STOCK).await?;
        let limit = bench
            .limit("unguarded", &[("--database-url", &url)])
            .await?;
        let until = Until::visits(CONTROL_STOCK * 20);
        let (_, _, history) = storm(bench, limit.addr, on_sale.clone(), until).await?;
        limit.stop().await?;
        let mut audit = Audit::default();
        audit.sold_out(&mut database, &on_sale, &history).await?;
        Ok(audit)
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.naive.stop().await?;
        self.echo.stop().await
    }
}

/// Holds granted, in how long, and what guests heard.
async fn storm(
    bench: &Bench,
    addr: SocketAddr,
    on_sale: OnSale,
    until: Until,
) -> anyhow::Result<(u64, Duration, History)> {
    let wish = Wish {
        doors: vec![addr],
        on_sale,
        nonce: bench.nonce(),
        // These keep no keys.
        repeat_per_cent: 0,
    };
    let ran = drive::closed(wish.guests(GUESTS).await?, until).await?;
    let took = ran.took;
    let history = History::merge(ran.guests.into_iter().map(|one| one.history));
    ensure!(history.wrong.is_empty(), "{:?}", history.wrong);
    Ok((history.granted.len() as u64, took, history))
}

/// A database with the naive schema; answers its URL.
async fn make(office: &BoxOffice, name: &str, guarded: bool) -> anyhow::Result<String> {
    let mut server = office.connect("postgres").await?;
    sql::execute(&mut server, format!("CREATE DATABASE {name}")).await?;
    let url = office.database(name)?;
    let mut database = sql::connect(&url).await?;
    sql::execute(&mut database, naive::schema(guarded)).await?;
    Ok(url)
}

/// A type without an event. Its pool has the same id.
fn nothing(capacity: u64) -> OnSale {
    OnSale {
        event: Uuid::nil().to_string(),
        kind: Uuid::from_u128(u128::from(capacity)).to_string(),
        capacity,
    }
}

async fn stock(database: &mut PgConnection, capacity: u64) -> anyhow::Result<OnSale> {
    let known = sql::number(database, "SELECT count(*) FROM pools").await?;
    let mut on_sale = nothing(capacity);
    on_sale.kind = Uuid::from_u128(u128::from(known.unsigned_abs()) + 1).to_string();
    let id: Uuid = on_sale.kind.parse()?;
    sqlx::query("INSERT INTO pools (id, capacity) VALUES ($1, $2)")
        .bind(id)
        .bind(i64::try_from(capacity)?)
        .execute(&mut *database)
        .await?;
    sqlx::query("INSERT INTO ticket_types (id, pool_id) VALUES ($1, $1)")
        .bind(id)
        .execute(database)
        .await?;
    Ok(on_sale)
}
