//! W3: everybody wants one ticket of one type. How many holds a second are durable, beside a transaction for each
//! behind the same HTTP path, the same chain with nothing stored, and one set-based statement in a loop.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sqlx::PgConnection;

use crate::{
    admin::{Admin, MOST_STOCK, OnSale},
    audit::Audit,
    bench::Bench,
    cost::{self, Cost},
    drive::{self, Until},
    hold_guest::{History, HoldGuest, Wish},
    limits::batched,
    mesh::BoxOffice,
    report::{Entry, Source},
    scratch::{self, Scratch},
    stats::{Latencies, median, per_op, rate, whole},
    w3_entries::{Measured, Round},
    wire,
};

/// Guests at once, of ours and of each limit.
pub const GUESTS: usize = 256;
/// At a constant rate more connections must be free than are in use.
const OPEN_GUESTS: usize = 512;
const REPEAT_PER_CENT: u64 = 5;
/// Of the stock; the rest is fought for among all that come after.
const UNDISPUTED: f64 = 0.98;
/// How often guests come again who found no room.
const ENCORES: usize = 20;

/// A sale bench with its box office.
pub struct Sale<'a> {
    pub bench: &'a Bench,
    pub office: BoxOffice,
    pub admin: Admin,
    pub tickets: PgConnection,
    pub audit: Audit,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W3 hot sale", 8 + 4 * bench.rounds());
    let mut sale = Sale::open(bench, "w3").await?;
    let environment = bench.environment(&sale.office).await?;
    let source = Source {
        workload: "w3_hot_sale",
        profile: bench.storage.profile(),
        environment,
    };
    if bench.args.rows.count() > 0 {
        return crate::w3_rows::run(sale, &source).await;
    }
    let measured = sale.measure().await?;
    bench.progress.step("asking the doctor");
    sale.audit.doctor(&sale.office).await?;
    let entries = measured.entries(&source, &sale.audit);
    sale.office.stop().await?;
    Ok(entries)
}

impl<'a> Sale<'a> {
    pub async fn open(bench: &'a Bench, name: &str) -> anyhow::Result<Self> {
        let mut office = bench.open(name, &[]).await?;
        for _ in 1..bench.args.replicas {
            office.add_replica().await?;
        }
        let admin = office.admin().await?;
        let tickets = office.connect("tickets").await?;
        Ok(Self {
            bench,
            office,
            admin,
            tickets,
            audit: Audit::default(),
        })
    }

    async fn measure(&mut self) -> anyhow::Result<Measured> {
        let bench = self.bench;
        let mut scratch = Scratch::start(bench, &self.office).await?;
        let mut rounds = Vec::new();
        for number in 1..=bench.rounds() {
            rounds.push(self.round(&mut scratch, number).await?);
        }
        let held: Vec<f64> = rounds.iter().map(|round| round.ours).collect();
        let peak = median(&held);
        let small = self.small().await?;
        let pages = self.pages().await?;
        bench.progress.step("one caller alone");
        let alone = self.alone(&mut scratch).await?;
        bench.progress.step("a constant rate");
        let at_80 = self.constant(peak * 0.8).await?;
        let at_50 = self.constant(peak * 0.5).await?;
        bench.progress.step("the control without a guard");
        let control = scratch.control(bench, &self.office).await?;
        scratch.stop().await?;
        Ok(Measured {
            rounds,
            small,
            pages,
            alone,
            at_80,
            at_50,
            control,
        })
    }

    /// Ours, then each limit.
    async fn round(&mut self, scratch: &mut Scratch, number: usize) -> anyhow::Result<Round> {
        let bench = self.bench;
        bench.progress.step(format!("round {number}: ours"));
        let capacity = bench.size(20_000, 100_000);
        let factor = if bench.args.full { 20 } else { 2 };
        let (ours, cost, sold_out) = self.sell(capacity, capacity * factor).await?;
        bench
            .progress
            .step(format!("round {number}: a transaction for each"));
        let lasting = bench.seconds(4.0, 15.0);
        let (naive, naive_cpu) = scratch.naive(bench, &self.office, lasting).await?;
        bench
            .progress
            .step(format!("round {number}: nothing stored"));
        let (echo, echo_cpu) = scratch.echo(bench, lasting / 2).await?;
        bench
            .progress
            .step(format!("round {number}: one statement for many"));
        let (batched, batched_cpu) = self.batched(lasting / 2).await?;
        let round = Round {
            ours,
            cost,
            sold_out,
            naive,
            naive_cpu,
            echo,
            echo_cpu,
            batched,
            batched_cpu,
        };
        bench.progress.say(&round.line());
        Ok(round)
    }

    /// One type is sold out. Holds per second, what each cost, and refusals per second after the last ticket.
    pub async fn sell(&mut self, capacity: u64, visits: u64) -> anyhow::Result<(f64, Cost, f64)> {
        self.office.revive().await?;
        let on_sale = self.admin.on_sale("A hot sale", capacity).await?;
        let guests = self.wish(&on_sale).guests(GUESTS).await?;
        let undisputed = whole(capacity as f64 * UNDISPUTED);
        let before = cost::Reading::take(&self.office, &mut self.tickets).await?;
        let selling = drive::closed(guests, Until::visits(undisputed));
        let ran = if self.bench.args.kill {
            let (ran, killed) = tokio::join!(selling, async {
                // Sleeps: the sale is under way then.
                tokio::time::sleep(Duration::from_millis(300)).await;
                self.office.kill_a_replica().await
            });
            killed?;
            ran?
        } else {
            selling.await?
        };
        let took = ran.took;
        let granted: usize = ran.guests.iter().map(|one| one.history.granted.len()).sum();
        let cost = before.cost(&mut self.tickets, granted as u64).await?;
        let guests = self.until_sold_out(ran.guests, visits.saturating_sub(undisputed), capacity);
        let guests = guests.await?;
        let ended = Instant::now();
        let history = History::merge(guests.into_iter().map(|one| one.history));
        let refusing = history
            .last_grant()
            .map_or(Duration::ZERO, |last| ended - last);
        let sold_out = rate(history.sold_out(), refusing);
        self.audit
            .sold_out(&mut self.tickets, &on_sale, &history)
            .await?;
        if self.bench.args.replicas == 1 {
            ensure!(
                history.unknown == 0,
                "{} answers were lost",
                history.unknown
            );
        }
        Ok((rate(granted as u64, took), cost, sold_out))
    }

    /// So many more visits; and then more, while nobody has heard that nothing is left: who was told to come again
    /// later has not.
    async fn until_sold_out(
        &self,
        mut guests: Vec<HoldGuest>,
        visits: u64,
        capacity: u64,
    ) -> anyhow::Result<Vec<HoldGuest>> {
        let mut visits = visits;
        for _ in 0..ENCORES {
            // Guests of before ask for another hold each, with keys of their own.
            guests = renamed(guests, &self.bench.nonce())?;
            guests = drive::closed(guests, Until::visits(visits)).await?.guests;
            if guests.iter().any(|one| one.history.sold_out() > 0) {
                break;
            }
            visits = (capacity / 10).max(GUESTS as u64);
        }
        Ok(guests)
    }

    fn wish(&self, on_sale: &OnSale) -> Wish {
        Wish {
            doors: self.office.doors(),
            on_sale: on_sale.clone(),
            nonce: self.bench.nonce(),
            repeat_per_cent: REPEAT_PER_CENT,
        }
    }

    /// 1,000 tickets and twenty times as many guests: all of it is dispute. Tickets per second until the last.
    async fn small(&mut self) -> anyhow::Result<f64> {
        self.bench
            .progress
            .step("a small hall, twenty guests for each ticket");
        self.office.revive().await?;
        let seats = self.bench.size(1_000, 1_000);
        let on_sale = self.admin.on_sale("A small hall", seats).await?;
        let guests = self.wish(&on_sale).guests(GUESTS).await?;
        let ran = drive::closed(guests, Until::visits(seats * 20)).await?;
        let began = ran.began;
        let history = History::merge(ran.guests.into_iter().map(|one| one.history));
        self.audit
            .sold_out(&mut self.tickets, &on_sale, &history)
            .await?;
        let last = history.last_grant().unwrap_or(began);
        Ok(rate(history.granted.len() as u64, last - began))
    }

    /// Event pages per second on this box office: what a refusal is compared with.
    async fn pages(&mut self) -> anyhow::Result<f64> {
        self.bench.progress.step("event pages");
        let event = self.admin.on_sale("A quiet one", 100).await?.event;
        let request = wire::get("bench", &format!("/api/v1/events/{event}"), &[]);
        let guests = crate::page_guest::guests(self.office.http, vec![request], 64).await?;
        let ran = drive::closed(guests, Until::after(self.bench.seconds(2.0, 10.0))).await?;
        Ok(ran.per_second())
    }

    async fn batched(&mut self, lasting: Duration) -> anyhow::Result<(f64, f64)> {
        let on_sale = self.admin.on_sale("A statement", MOST_STOCK).await?;
        let meter = self.office.meter().postgres();
        let before = meter.read();
        let sources = &self.bench.sources;
        let (rate, holds) = batched::run(&mut self.tickets, &on_sale, sources, lasting).await?;
        Ok((rate, per_op(meter.read().saturating_sub(before), holds)))
    }

    /// p50 of a hold in milliseconds with one guest, ours and the naive way.
    async fn alone(&mut self, scratch: &mut Scratch) -> anyhow::Result<Vec<[f64; 2]>> {
        let on_sale = self.admin.on_sale("One caller", MOST_STOCK).await?;
        let lasting = self.bench.seconds(1.0, 5.0);
        let mut rounds = Vec::new();
        for _ in 0..self.bench.rounds() {
            let mut wish = self.wish(&on_sale);
            wish.repeat_per_cent = 0;
            let mut ours = drive::closed(wish.guests(1).await?, Until::after(lasting)).await?;
            wish.doors = vec![scratch.naive_addr()];
            wish.on_sale = scratch.stock(scratch::PLENTY).await?;
            let mut naive = drive::closed(wish.guests(1).await?, Until::after(lasting)).await?;
            rounds.push([ours.latencies.p50_ms(), naive.latencies.p50_ms()]);
        }
        Ok(rounds)
    }

    /// How long guests wait when they come at this rate.
    async fn constant(&mut self, per_second: f64) -> anyhow::Result<Latencies> {
        let on_sale = self.admin.on_sale("A steady sale", MOST_STOCK).await?;
        let guests = self.wish(&on_sale).guests(OPEN_GUESTS).await?;
        let lasting = self.bench.seconds(4.0, 20.0);
        let ran = drive::open(guests, per_second.max(1.0), lasting).await?;
        let history = History::merge(ran.guests.into_iter().map(|one| one.history));
        self.audit
            .sale(&mut self.tickets, &on_sale, &history)
            .await?;
        Ok(ran.latencies)
    }
}

/// The same guests with keys of another name.
fn renamed(mut guests: Vec<HoldGuest>, nonce: &str) -> anyhow::Result<Vec<HoldGuest>> {
    for guest in &mut guests {
        guest.rename(nonce)?;
    }
    Ok(guests)
}
