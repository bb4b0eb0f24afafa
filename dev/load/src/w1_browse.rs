//! W1: guests look at the programme and at events while admins change some of it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{
    admin::Admin,
    audit::Audit,
    bench::Bench,
    browse_guest::{BrowseGuest, Programme},
    drive::{self, Until},
    limits::Limit,
    mesh::BoxOffice,
    report::{Entry, Source},
    stats::{Latencies, median, per_op},
    wire::{self, Connection},
};

const GUESTS: usize = 64;
const CONDITIONAL_PER_CENT: u64 = 30;
/// Of the programme, each second.
const WRITES_PER_CENT: u64 = 2;
const CHANGES: usize = 20;

#[derive(Clone, Copy, Debug, Default)]
struct Round {
    mixed: [f64; 2],
    cpu: [f64; 2],
    known: [f64; 2],
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W1 browse", 5 + 2 * bench.rounds());
    let office = bench.open("w1", &[]).await?;
    let source = Source {
        workload: "w1_browse",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut admin = office.admin().await?;
    let programme = fill(bench, &mut admin).await?;
    let limit = same_bytes(bench, office.http, &programme).await?;
    let mut run = Run {
        bench,
        office,
        admin,
        programme,
        limit,
    };
    let entries = run.measure(&source).await?;
    let mut audit = Audit::default();
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
    admin: Admin,
    programme: Arc<Programme>,
    limit: Limit,
}

impl Run<'_> {
    async fn measure(&mut self, source: &Source) -> anyhow::Result<Vec<Entry>> {
        let bench = self.bench;
        let mut rounds = Vec::new();
        for number in 1..=bench.rounds() {
            rounds.push(self.round(number).await?);
        }
        let pairs =
            |of: fn(&Round) -> [f64; 2]| -> Vec<[f64; 2]> { rounds.iter().map(of).collect() };
        let side = |of: fn(&Round) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>());
        bench.progress.step("a constant rate");
        let rate = side(|round| round.mixed[0]) * 0.5;
        let mut ours = self.constant(self.office.http, rate).await?;
        let mut bare = self.constant(self.limit.addr, rate).await?;
        bench.progress.step("until a change is seen");
        let mut seen = self.changes().await?;
        bench.progress.step("what a hit asks for");
        let calls = self.calls_per_page().await?;
        Ok(vec![
            source
                .against(
                    "programme and event pages",
                    "pages/s",
                    "bare_axum",
                    pairs(|r| r.mixed),
                )
                .cpu(side(|round| round.cpu[0]), Some(side(|round| round.cpu[1])))
                .latency(ours.p50_ms(), ours.p99_ms())
                .at_least(0.8),
            source
                .against("304 only", "answers/s", "bare_axum", pairs(|r| r.known))
                .at_least(0.95),
            source
                .against(
                    "p99 of a page at half the peak",
                    "ms",
                    "bare_axum",
                    vec![[ours.p99_ms(), bare.p99_ms()]],
                )
                .at_most(1.3),
            source
                .figure("a change is seen after, p99", "ms", &[seen.p99_ms()])
                .at_most(200.0),
            source
                .figure("gRPC calls per page", "calls", &[calls])
                .at_most(0.01),
        ])
    }

    async fn round(&mut self, number: usize) -> anyhow::Result<Round> {
        let lasting = self.bench.seconds(3.0, 12.0);
        self.bench.progress.step(format!("round {number}: ours"));
        let meter = self.office.meter();
        let before = meter.read();
        let ours = self.visit_and_write(lasting).await?;
        let our_cpu = per_op(meter.read().saturating_sub(before), ours.0);
        let known = self.visit(self.office.http, 100, lasting / 2).await?;
        self.bench
            .progress
            .step(format!("round {number}: bare axum"));
        let meter = self.limit.meter();
        let before = meter.read();
        let bare = self
            .visit(self.limit.addr, CONDITIONAL_PER_CENT, lasting)
            .await?;
        let bare_cpu = per_op(meter.read().saturating_sub(before), bare.0);
        let bare_known = self.visit(self.limit.addr, 100, lasting / 2).await?;
        let round = Round {
            mixed: [ours.1, bare.1],
            cpu: [our_cpu, bare_cpu],
            known: [known.1, bare_known.1],
        };
        self.bench.progress.say(&format!("  {round:?}"));
        Ok(round)
    }

    fn guests(
        &self,
        addr: SocketAddr,
        conditional: u64,
    ) -> impl Future<Output = anyhow::Result<Vec<BrowseGuest>>> {
        BrowseGuest::many(addr, self.programme.clone(), conditional, GUESTS)
    }

    /// How many pages, and how many a second.
    async fn visit(
        &self,
        addr: SocketAddr,
        conditional: u64,
        lasting: Duration,
    ) -> anyhow::Result<(u64, f64)> {
        let guests = self.guests(addr, conditional).await?;
        let ran = drive::closed(guests, Until::after(lasting)).await?;
        Ok((ran.visits, ran.per_second()))
    }

    /// The same while admins change events, at a constant pace.
    async fn visit_and_write(&mut self, lasting: Duration) -> anyhow::Result<(u64, f64)> {
        let guests = self.guests(self.office.http, CONDITIONAL_PER_CENT).await?;
        let events = self.programme.events.clone();
        let pause = Duration::from_secs_f64(100.0 / (events.len() as f64 * WRITES_PER_CENT as f64));
        let admin = &mut self.admin;
        let writing = async {
            let mut pace = tokio::time::interval(pause);
            for number in 0_usize.. {
                pace.tick().await;
                let event = &events[number * 7 % events.len()];
                admin
                    .describe(event, &format!("Changed {number} times. "))
                    .await?;
            }
            anyhow::Ok(())
        };
        tokio::select! {
            ran = drive::closed(guests, Until::after(lasting)) => {
                let ran = ran?;
                Ok((ran.visits, ran.per_second()))
            }
            failed = writing => {
                failed?;
                anyhow::bail!("the writer ended")
            }
        }
    }

    async fn constant(&self, addr: SocketAddr, per_second: f64) -> anyhow::Result<Latencies> {
        let guests = self.guests(addr, CONDITIONAL_PER_CENT).await?;
        let ran = drive::open(guests, per_second, self.bench.seconds(3.0, 15.0)).await?;
        Ok(ran.latencies)
    }

    /// From the answer to an admin's change until a guest's page has it.
    async fn changes(&mut self) -> anyhow::Result<Latencies> {
        let mut took = Latencies::default();
        let mut guest = Connection::open(self.office.http).await?;
        for number in 0..CHANGES {
            let event = self.programme.events[number % self.programme.events.len()].clone();
            let page = wire::get("bench", &format!("/api/v1/events/{event}"), &[]);
            let sign = format!("Seen yet? {number}.");
            guest.ask(&page).await?;
            self.admin.describe(&event, &sign).await?;
            let began = Instant::now();
            loop {
                let answer = guest.ask(&page).await?;
                let body = String::from_utf8_lossy(guest.body(answer));
                if body.contains(&sign) {
                    break;
                }
                ensure!(
                    began.elapsed() < Duration::from_secs(10),
                    "a change is never seen"
                );
                // Sleeps: the guest looks again.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            took.record(began.elapsed());
        }
        Ok(took)
    }

    /// Calls to CatalogService for each page while nothing changes.
    async fn calls_per_page(&self) -> anyhow::Result<f64> {
        let before = catalog_calls(&self.office.metrics().await?);
        let lasting = self.bench.seconds(1.0, 3.0);
        let (pages, _) = self
            .visit(self.office.http, CONDITIONAL_PER_CENT, lasting)
            .await?;
        let after = catalog_calls(&self.office.metrics().await?);
        Ok((after - before) / pages.max(1) as f64)
    }
}

/// By the services' own counters.
fn catalog_calls(metrics: &str) -> f64 {
    let lines = metrics.lines().filter(|line| {
        line.starts_with("rpc_server_requests_total") && line.contains("CatalogService")
    });
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    counts.sum()
}

async fn fill(bench: &Bench, admin: &mut Admin) -> anyhow::Result<Arc<Programme>> {
    let count = bench.size(1_000, 5_000);
    bench.progress.step(format!("{count} events"));
    let mut events = Vec::new();
    for number in 0..count {
        let on_sale = admin.on_sale(&format!("Concert {number}"), 500).await?;
        events.push(on_sale.event);
    }
    Ok(Arc::new(Programme { events }))
}

/// A program that answers the same bytes as ours does now.
async fn same_bytes(
    bench: &Bench,
    http: SocketAddr,
    programme: &Programme,
) -> anyhow::Result<Limit> {
    let mut connection = Connection::open(http).await?;
    let pages: HashMap<&str, String> = [
        ("list.json", "/api/v1/events".to_owned()),
        (
            "event.json",
            format!("/api/v1/events/{}", programme.events[0]),
        ),
    ]
    .into();
    let folder = bench.args.out.join("bodies");
    std::fs::create_dir_all(&folder)?;
    for (name, path) in pages {
        let answer = connection.ask(&wire::get("bench", &path, &[])).await?;
        ensure!(answer.status == 200, "{path} answered {}", answer.status);
        std::fs::write(folder.join(name), connection.body(answer))?;
    }
    let folder = folder.display().to_string();
    bench.limit("bytes", &[("--body", &folder)]).await
}
