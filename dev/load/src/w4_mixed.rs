//! W4: a hundred events with five types each, and guests who do everything at once: most look, some hold, a few buy,
//! fewer cancel. What the mix costs is compared with the sum of its parts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    admin::{Admin, MOST_STOCK, OnSale},
    audit::Audit,
    bench::Bench,
    drive::{self, Ran, Until},
    hold_guest::{History, Wish},
    mesh::BoxOffice,
    mixed_guest::{Done, Mix, MixedGuest, Part, Taste},
    report::{Entry, Source},
    settle::settled,
    stats::{Latencies, median, per_op},
};

const EVENTS: usize = 100;
const TYPES: usize = 5;
const GUESTS: usize = 64;
const STORM: usize = 256;
const COLD_PER_SECOND: f64 = 50.0;
const MIX: Mix = Mix([
    (Part::Page, 70),
    (Part::Hold, 20),
    (Part::Buy, 8),
    (Part::Cancel, 2),
]);

#[derive(Clone, Copy, Debug)]
struct Round {
    zipf: [f64; 2],
    uniform: [f64; 2],
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W4 mixed sale", 4 + bench.rounds());
    let office = bench.open("w4", &[]).await?;
    let source = Source {
        workload: "w4_mixed_sale",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut admin = office.admin().await?;
    bench.progress.step("the programme");
    let types = Arc::new(programme(&mut admin).await?);
    let mut run = Run {
        bench,
        office,
        admin,
        types,
        told: Arc::default(),
    };
    let mut rounds = Vec::new();
    for number in 1..=bench.rounds() {
        bench.progress.step(format!("round {number}"));
        let round = run.round().await?;
        bench.progress.say(&format!("  {round:?}"));
        rounds.push(round);
    }
    bench.progress.step("a cold event beside a hot one");
    let mut audit = Audit::default();
    let cold = run.cold(&mut audit).await?;
    run.audit(&mut audit).await?;
    let entries = entries(&source, &rounds, cold);
    run.office.stop().await?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.audited(&audit))
        .collect())
}

fn entries(source: &Source, rounds: &[Round], cold: [f64; 2]) -> Vec<Entry> {
    let of = |pick: fn(&Round) -> f64| median(&rounds.iter().map(pick).collect::<Vec<_>>());
    let parts = |pick: fn(&Round) -> [f64; 2]| rounds.iter().map(pick).collect::<Vec<_>>();
    vec![
        source
            .against(
                "CPU-µs of its parts over the mix's, by Zipf",
                "µs",
                "the mix",
                parts(|r| r.zipf),
            )
            .latency(of(|round| round.p50_ms), of(|round| round.p99_ms))
            .at_least(0.9),
        source
            .against(
                "CPU-µs of its parts over the mix's, uniform",
                "µs",
                "the mix",
                parts(|r| r.uniform),
            )
            .at_least(0.9),
        source.figure(
            "visits of the mix",
            "visits/s",
            &rounds.iter().map(|r| r.per_second).collect::<Vec<_>>(),
        ),
        source
            .against(
                "p99 of a hold on a cold event beside a hot one",
                "ms",
                "without it",
                vec![cold],
            )
            .at_most(1.5),
    ]
}

struct Run<'a> {
    bench: &'a Bench,
    office: BoxOffice,
    admin: Admin,
    types: Arc<Vec<OnSale>>,
    /// What guests were told, by type.
    told: Arc<Mutex<HashMap<usize, History>>>,
}

impl Run<'_> {
    /// Each part alone, then the mix of them.
    async fn round(&mut self) -> anyhow::Result<Round> {
        let lasting = self.bench.seconds(1.5, 5.0);
        let mut sum = 0.0;
        for (part, weight) in MIX.0 {
            let (_, cpu) = self.mix(Mix::only(part), Taste::Zipf, lasting).await?;
            sum += cpu * weight as f64 / 100.0;
        }
        let (mut zipf, zipf_cpu) = self.mix(MIX, Taste::Zipf, lasting * 2).await?;
        let (_, uniform_cpu) = self.mix(MIX, Taste::Uniform, lasting * 2).await?;
        Ok(Round {
            zipf: [sum, zipf_cpu],
            uniform: [sum, uniform_cpu],
            per_second: zipf.per_second(),
            p50_ms: zipf.latencies.p50_ms(),
            p99_ms: zipf.latencies.p99_ms(),
        })
    }

    /// What they did, and CPU-µs of a visit.
    async fn mix(
        &self,
        mix: Mix,
        taste: Taste,
        lasting: Duration,
    ) -> anyhow::Result<(Ran<MixedGuest>, f64)> {
        let mut guests = Vec::new();
        for number in 0..GUESTS {
            let nonce = self.bench.nonce();
            let list = (self.types.clone(), taste, mix);
            guests.push(MixedGuest::open(self.office.http, &nonce, list, number).await?);
        }
        let meter = self.office.meter();
        let before = meter.read();
        let mut ran = drive::closed(guests, Until::after(lasting)).await?;
        // What they caused belongs to them.
        settled(&self.office).await?;
        let cpu = per_op(meter.read().saturating_sub(before), ran.visits);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for guest in &mut ran.guests {
            for Done { kind, hold, at } in std::mem::take(&mut guest.done) {
                told.entry(kind).or_default().granted.push((hold, at));
            }
        }
        Ok((ran, cpu))
    }

    /// p99 of a hold on one event while everybody wants another one, and without them.
    async fn cold(&mut self, audit: &mut Audit) -> anyhow::Result<[f64; 2]> {
        let lasting = self.bench.seconds(3.0, 15.0);
        let mut alone = self.quiet(lasting, audit).await?;
        let hot = self.admin.on_sale("The hot one", MOST_STOCK).await?;
        let storm = self.wish(&hot).guests(STORM).await?;
        let storm = drive::closed(storm, Until::after(lasting));
        let (storm, beside) = tokio::join!(storm, self.quiet(lasting, audit));
        let history = History::merge(storm?.guests.into_iter().map(|one| one.history));
        let mut tickets = self.office.connect("tickets").await?;
        audit.sale(&mut tickets, &hot, &history).await?;
        Ok([beside?.p99_ms(), alone.p99_ms()])
    }

    async fn quiet(&mut self, lasting: Duration, audit: &mut Audit) -> anyhow::Result<Latencies> {
        let cold = self.admin.on_sale("A cold one", 1_000_000).await?;
        let guests = self.wish(&cold).guests(16).await?;
        let ran = drive::open(guests, COLD_PER_SECOND, lasting).await?;
        let history = History::merge(ran.guests.into_iter().map(|one| one.history));
        let mut tickets = self.office.connect("tickets").await?;
        audit.sale(&mut tickets, &cold, &history).await?;
        Ok(ran.latencies)
    }

    fn wish(&self, on_sale: &OnSale) -> Wish {
        Wish {
            doors: self.office.doors(),
            on_sale: on_sale.clone(),
            nonce: self.bench.nonce(),
            repeat_per_cent: 0,
        }
    }

    /// Every type on its own, then the doctor, once what was paid has its tickets.
    async fn audit(&mut self, audit: &mut Audit) -> anyhow::Result<()> {
        let mut tickets = self.office.connect("tickets").await?;
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        for (kind, history) in told {
            audit
                .sale(&mut tickets, &self.types[kind], &history)
                .await?;
        }
        settled(&self.office).await?;
        audit.doctor(&self.office).await
    }
}

/// Every type of every event.
async fn programme(admin: &mut Admin) -> anyhow::Result<Vec<OnSale>> {
    let mut types = Vec::new();
    for number in 0..EVENTS {
        let event = admin.event(&format!("Concert {number}")).await?;
        for row in 0..TYPES {
            types.push(admin.kind(&event, &format!("Row {row}"), 1_000_000).await?);
        }
    }
    Ok(types)
}
