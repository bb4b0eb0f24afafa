//! W12: purchases while what a sale must not depend on is away: the collector of traces, the mail server, NATS. Nobody
//! may fail, and nobody may wait for it.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::{
    admin::{Admin, OnSale},
    audit::Audit,
    bench::Bench,
    buyer::{Buyer, PAYS},
    collector::Collector,
    drive::{self, Guest, Until},
    mesh::BoxOffice,
    report::{Entry, Source},
    settle::settled,
    smtp::Sink,
    stats::Latencies,
    wall::{Wall, Wire},
};

const GUESTS: usize = 48;
/// Of the peak: so much is left for whatever an outage costs.
const SHARE: f64 = 0.4;
/// How much of p99 an outage may cost.
const COST: f64 = 1.1;

#[derive(Clone, Copy, Debug)]
enum Outage {
    CollectorHole,
    CollectorFrozen,
    MailServerGone,
    NatsFrozen,
}

const OUTAGES: [Outage; 4] = [
    Outage::CollectorHole,
    Outage::CollectorFrozen,
    Outage::MailServerGone,
    Outage::NatsFrozen,
];

impl Outage {
    fn words(self) -> &'static str {
        match self {
            Self::CollectorHole => "the collector answers nothing",
            Self::CollectorFrozen => "the collector stands still",
            Self::MailServerGone => "the mail server is down",
            Self::NatsFrozen => "NATS stands still",
        }
    }
}

/// p99 of a purchase with each outage, and without it right before.
type Round = [[f64; 2]; OUTAGES.len()];

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W12 outages", 2 + bench.rounds());
    let (collector, sink) = (Collector::start().await?, Sink::start().await?);
    let traces = Wire::before(collector.addr).await?;
    let mails = Wire::before(sink.address()).await?;
    let settings = [
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            format!("http://{}", traces.addr),
        ),
        ("SMTP_URL", format!("smtp://{}", mails.addr)),
    ];
    let office = bench.open("w12", &settings).await?;
    let source = Source {
        workload: "w12_outages",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut run = Run {
        bench,
        admin: office.admin().await?,
        office,
        traces,
        mails,
        failed: Vec::new(),
    };
    bench.progress.step("the peak");
    let per_second = run.peak().await? * SHARE;
    let mut rounds = Vec::new();
    for number in 1..=bench.rounds() {
        bench.progress.step(format!("round {number}"));
        rounds.push(run.round(per_second).await?);
    }
    let mut audit = Audit::default();
    let first = run.failed.first().map_or("", String::as_str);
    let failed = run.failed.len();
    audit.check(failed == 0, format!("{failed} purchases failed {first}"));
    audit.doctor(&run.office).await?;
    run.office.stop().await?;
    Ok(entries(&source, &rounds)
        .into_iter()
        .map(|entry| entry.audited(&audit))
        .collect())
}

fn entries(source: &Source, rounds: &[Round]) -> Vec<Entry> {
    let entry = |(number, outage): (usize, Outage)| {
        let what = format!("p99 of a purchase while {}", outage.words());
        let rounds = rounds.iter().map(|round| round[number]).collect();
        source
            .against(&what, "ms", "without it", rounds)
            .at_most(COST)
    };
    OUTAGES.into_iter().enumerate().map(entry).collect()
}

struct Run<'a> {
    bench: &'a Bench,
    office: BoxOffice,
    admin: Admin,
    traces: Wire,
    mails: Wire,
    /// What was said to guests who got no order.
    failed: Vec<String>,
}

impl Run<'_> {
    async fn peak(&mut self) -> anyhow::Result<f64> {
        let guests = self.guests().await?;
        let until = Until::after(self.bench.seconds(2.0, 5.0));
        let ran = drive::closed(guests, until).await?;
        let per_second = ran.per_second();
        self.note(ran.guests);
        settled(&self.office).await?;
        Ok(per_second)
    }

    async fn round(&mut self, per_second: f64) -> anyhow::Result<Round> {
        let mut round = Round::default();
        for (place, outage) in OUTAGES.into_iter().enumerate() {
            let mut well = self.sale(per_second).await?;
            self.begin(outage).await?;
            let beside = self.sale(per_second).await;
            self.end().await?;
            // What has waited for the end of the outage is no part of the next sale.
            settled(&self.office).await?;
            round[place] = [beside?.p99_ms(), well.p99_ms()];
            let [with, without] = round[place];
            let words = outage.words();
            let said = format!("  {words}: p99 {with:.1} ms, {without:.1} ms without");
            self.bench.progress.say(&said);
        }
        Ok(round)
    }

    async fn sale(&mut self, per_second: f64) -> anyhow::Result<Latencies> {
        let lasting = self.bench.seconds(5.0, 30.0);
        let ran = drive::open(self.guests().await?, per_second, lasting).await?;
        self.note(ran.guests);
        Ok(ran.latencies)
    }

    async fn guests(&mut self) -> anyhow::Result<Vec<Purchaser>> {
        let on_sale = Arc::new(self.admin.on_sale("A sale", 1_000_000).await?);
        let mut guests = Vec::new();
        for _ in 0..GUESTS {
            let nonce = self.bench.nonce();
            guests.push(Purchaser::open(self.office.http, nonce, on_sale.clone()).await?);
        }
        Ok(guests)
    }

    fn note(&mut self, guests: Vec<Purchaser>) {
        self.failed
            .extend(guests.into_iter().flat_map(|guest| guest.failed));
    }

    async fn begin(&self, outage: Outage) -> anyhow::Result<()> {
        match outage {
            Outage::CollectorHole => self.traces.set(Wall::Hole),
            Outage::CollectorFrozen => self.traces.set(Wall::Frozen),
            Outage::MailServerGone => self.mails.set(Wall::Gone),
            Outage::NatsFrozen => self.signal_nats("-STOP").await?,
        }
        Ok(())
    }

    async fn end(&self) -> anyhow::Result<()> {
        self.traces.set(Wall::Open);
        self.mails.set(Wall::Open);
        self.signal_nats("-CONT").await
    }

    async fn signal_nats(&self, signal: &str) -> anyhow::Result<()> {
        let pids = self.office.meter().pids_of("nats-server");
        let pid = pids
            .first()
            .context("no nats-server below the box office")?;
        let mut kill = Command::new("kill");
        let done = kill.args([signal, &pid.to_string()]).status().await?;
        ensure!(done.success(), "kill {signal}: {done}");
        Ok(())
    }
}

/// Buys a ticket at each visit, and says what went wrong.
struct Purchaser {
    buyer: Buyer,
    on_sale: Arc<OnSale>,
    failed: Vec<String>,
}

impl Purchaser {
    async fn open(http: SocketAddr, nonce: String, on_sale: Arc<OnSale>) -> anyhow::Result<Self> {
        Ok(Self {
            buyer: Buyer::open(http, &nonce).await?,
            on_sale,
            failed: Vec::new(),
        })
    }

    async fn buy(&mut self, number: u64) -> anyhow::Result<()> {
        let hold = self.buyer.hold(&self.on_sale).await?;
        let hold = hold.context("a hold was refused")?;
        let email = format!("guest{number}@example.org");
        let order = self.buyer.order(&hold, &email).await?;
        self.buyer.pay(&order, PAYS).await
    }
}

impl Guest for Purchaser {
    async fn visit(&mut self, number: u64) -> anyhow::Result<Instant> {
        if let Err(error) = self.buy(number).await {
            self.failed.push(format!("{error:#}"));
            // Sleeps: a guest who was refused comes again a little later.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Instant::now())
    }
}
