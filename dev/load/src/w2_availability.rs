//! W2: guests look at what is left of a sale that is under way at half its speed.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::{
    admin::{Admin, MOST_STOCK, OnSale},
    audit::Audit,
    bench::Bench,
    buyer::Buyer,
    cpu::Meter,
    drive::{self, Until},
    hold_guest::{History, Wish},
    limits::Limit,
    mesh::BoxOffice,
    page_guest,
    report::{Entry, Source},
    stats::{Latencies, median, per_op},
    wire::{self, Connection},
};

const BUYERS: usize = 256;
const LOOKERS: usize = 64;
const LOOKS: usize = 20;

#[derive(Clone, Copy, Debug)]
struct Seen {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench
        .progress
        .begin("W2 availability", 4 + 2 * bench.rounds());
    let office = bench.open("w2", &[]).await?;
    let source = Source {
        workload: "w2_availability",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut admin = office.admin().await?;
    let on_sale = admin.on_sale("The hot one", MOST_STOCK).await?;
    let mut run = Run {
        bench,
        limit: counter(bench, &office, &on_sale).await?,
        office,
        on_sale,
        admin,
        history: Vec::new(),
    };
    let entries = run.measure(&source).await?;
    let mut audit = Audit::default();
    let mut tickets = run.office.connect("tickets").await?;
    let history = History::merge(run.history);
    audit.sale(&mut tickets, &run.on_sale, &history).await?;
    audit.doctor(&run.office).await?;
    run.limit.stop().await?;
    run.office.stop().await?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.audited(&audit))
        .collect())
}

struct Run<'a> {
    bench: &'a Bench,
    office: BoxOffice,
    on_sale: OnSale,
    admin: Admin,
    limit: Limit,
    history: Vec<History>,
}

impl Run<'_> {
    async fn measure(&mut self, source: &Source) -> anyhow::Result<Vec<Entry>> {
        let bench = self.bench;
        bench.progress.step("the peak of the sale");
        let lasting = bench.seconds(2.0, 5.0);
        let guests = self.wish().guests(BUYERS).await?;
        let ran = drive::closed(guests, Until::after(lasting)).await?;
        let half = ran.per_second() / 2.0;
        self.history
            .extend(ran.guests.into_iter().map(|one| one.history));
        let path = format!("/api/v1/events/{}", self.on_sale.event);
        let mut rounds = Vec::new();
        for number in 1..=bench.rounds() {
            bench.progress.step(format!("round {number}: ours"));
            let ours = self.look(&path, half, true).await?;
            bench.progress.step(format!("round {number}: bare axum"));
            let bare = self.look(&path, half, false).await?;
            bench.progress.say(&format!("  {ours:?} beside {bare:?}"));
            rounds.push([ours, bare]);
        }
        bench.progress.step("how old what they see is");
        let mut age = self.staleness().await?;
        let pairs = rounds
            .iter()
            .map(|[ours, bare]| [ours.per_second, bare.per_second]);
        let of = |pick: fn(&Seen) -> f64| {
            median(
                &rounds
                    .iter()
                    .map(|[ours, _]| pick(ours))
                    .collect::<Vec<_>>(),
            )
        };
        Ok(vec![
            source
                .against(
                    "event pages beside a sale",
                    "pages/s",
                    "bare axum with a counter",
                    pairs.collect(),
                )
                .cpu(of(|seen| seen.cpu_us), None)
                .latency(of(|seen| seen.p50_ms), of(|seen| seen.p99_ms))
                .at_least(0.7),
            source
                .figure("a page knows of a hold after, p99", "ms", &[age.p99_ms()])
                .at_most(100.0),
        ])
    }

    fn wish(&self) -> Wish {
        Wish {
            doors: self.office.doors(),
            on_sale: self.on_sale.clone(),
            nonce: self.bench.nonce(),
            repeat_per_cent: 0,
        }
    }

    /// Pages of ours or of the limit, while the same sale goes on.
    async fn look(&mut self, path: &str, sale: f64, ours: bool) -> anyhow::Result<Seen> {
        let lasting = self.bench.seconds(3.0, 12.0);
        let (addr, meter) = if ours {
            (self.office.http, Meter::of(&[self.office.pid()]))
        } else {
            (self.limit.addr, self.limit.meter())
        };
        let requests = vec![wire::get("bench", path, &[])];
        let lookers = page_guest::guests(addr, requests, LOOKERS).await?;
        let buyers = self.wish().guests(BUYERS).await?;
        let before = meter.read();
        let (seen, sold) = tokio::join!(
            drive::closed(lookers, Until::after(lasting)),
            drive::open(buyers, sale, lasting),
        );
        let mut seen = seen?;
        let cpu_us = per_op(meter.read().saturating_sub(before), seen.visits);
        self.history
            .extend(sold?.guests.into_iter().map(|one| one.history));
        Ok(Seen {
            per_second: seen.per_second(),
            p50_ms: seen.latencies.p50_ms(),
            p99_ms: seen.latencies.p99_ms(),
            cpu_us,
        })
    }

    /// From the answer to a hold until the page counts one less, on an event of its own.
    async fn staleness(&mut self) -> anyhow::Result<Latencies> {
        let quiet = self.admin.on_sale("A quiet one", 1_000).await?;
        let path = format!("/api/v1/events/{}/availability", quiet.event);
        let page = wire::get("bench", &path, &[]);
        let mut eyes = Connection::open(self.office.http).await?;
        let mut buyer = Buyer::open(self.office.http, &self.bench.nonce()).await?;
        let mut age = Latencies::default();
        for sold in 1..=LOOKS {
            let held = buyer.hold(&quiet).await?;
            ensure!(held.is_some(), "a hold was refused");
            let (began, left) = (Instant::now(), format!("\"remaining\":{}", 1_000 - sold));
            loop {
                let answer = eyes.ask(&page).await?;
                if String::from_utf8_lossy(eyes.body(answer)).contains(&left) {
                    break;
                }
                ensure!(
                    began.elapsed() < Duration::from_secs(10),
                    "the page never says {left}"
                );
                // Sleeps: the guest looks again.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            age.record(began.elapsed());
        }
        Ok(age)
    }
}

/// A program that answers the bytes of this event's page after one atomic load.
async fn counter(bench: &Bench, office: &BoxOffice, on_sale: &OnSale) -> anyhow::Result<Limit> {
    let mut connection = Connection::open(office.http).await?;
    let path = format!("/api/v1/events/{}", on_sale.event);
    let answer = connection.ask(&wire::get("bench", &path, &[])).await?;
    let folder = bench.args.out.join("bodies");
    std::fs::create_dir_all(&folder)?;
    for name in ["event.json", "list.json"] {
        std::fs::write(folder.join(name), connection.body(answer))?;
    }
    let folder = folder.display().to_string();
    bench.limit("counter", &[("--body", &folder)]).await
}
