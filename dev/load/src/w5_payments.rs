//! W5: a provider reports payments: each report comes twice, some out of order, some forged.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use sqlx::PgConnection;
use tokio::task::JoinSet;

use crate::{
    admin::{Admin, MOST_STOCK},
    audit::Audit,
    bench::Bench,
    drive::{self, Ran, Until},
    limits::paid,
    mesh::BoxOffice,
    orders,
    report::{Entry, Source},
    settle::settled,
    sql,
    stats::{Latencies, median, per_op, rate},
    webhook::{Delivery, Report, Reporter, Signer},
};

const GUESTS: usize = 64;
const FORGED_PER_CENT: u64 = 1;
const LATE_PER_CENT: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// From the first report until the last order is paid.
    applied: f64,
    batched: f64,
    /// Reports taken a second, of those that are new.
    taken: f64,
    first_cpu: f64,
    again_cpu: f64,
    forged_cpu: f64,
    /// Transactions in the payments database for each forged report.
    forged_sql: f64,
    hmac: f64,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W5 payments", 2 + 4 * bench.rounds());
    // The provider's own reports are lost, so that only the bench's arrive.
    let settings = [("SANDBOX_WEBHOOK_FAULTS", "loss=1".to_owned())];
    let office = bench.open("w5", &settings).await?;
    let source = Source {
        workload: "w5_payments",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut run = Run {
        bench,
        admin: office.admin().await?,
        payments: office.connect("payments").await?,
        signer: Arc::new(Signer::new(&office.secret("sandbox-webhook-secret")?)),
        office,
        audit: Audit::default(),
        acknowledged: Latencies::default(),
    };
    let mut rounds = Vec::new();
    for number in 1..=bench.rounds() {
        let round = run.round(number).await?;
        bench.progress.say(&format!("  {round:?}"));
        rounds.push(round);
    }
    settled(&run.office).await?;
    run.audit.doctor(&run.office).await?;
    let entries = entries(&source, &rounds, &mut run.acknowledged);
    let entries = entries
        .into_iter()
        .map(|entry| entry.audited(&run.audit))
        .collect();
    run.office.stop().await?;
    Ok(entries)
}

fn entries(source: &Source, rounds: &[Round], acknowledged: &mut Latencies) -> Vec<Entry> {
    let pairs = |of: fn(&Round) -> [f64; 2]| -> Vec<[f64; 2]> { rounds.iter().map(of).collect() };
    let all = |of: fn(&Round) -> f64| -> Vec<f64> { rounds.iter().map(of).collect() };
    let (p50, p99) = (acknowledged.p50_ms(), acknowledged.p99_ms());
    vec![
        source
            .against(
                "orders paid and fulfilled",
                "orders/s",
                "one statement for many",
                pairs(|r| [r.applied, r.batched]),
            )
            .cpu(median(&all(|round| round.first_cpu)), None)
            .latency(p50, p99)
            .at_least(0.3),
        source.against(
            "reports taken",
            "reports/s",
            "hmac alone",
            pairs(|r| [r.taken, r.hmac]),
        ),
        source
            .against(
                "CPU-µs of a report that came before",
                "µs",
                "a first one, with all it causes",
                pairs(|r| [r.again_cpu, r.first_cpu]),
            )
            .at_most(0.2),
        source.figure(
            "CPU-µs of a forged report",
            "µs",
            &all(|round| round.forged_cpu),
        ),
        source
            .figure(
                "transactions for a forged report",
                "transactions",
                &all(|round| round.forged_sql),
            )
            .at_most(0.02),
        source
            .figure("p99 of taking a report at half the peak", "ms", &[p99])
            .at_most(50.0),
    ]
}

struct Run<'a> {
    bench: &'a Bench,
    office: BoxOffice,
    admin: Admin,
    payments: PgConnection,
    signer: Arc<Signer>,
    audit: Audit,
    acknowledged: Latencies,
}

impl Run<'_> {
    async fn round(&mut self, number: usize) -> anyhow::Result<Round> {
        let bench = self.bench;
        bench.progress.step(format!("round {number}: orders"));
        let count = bench.size(1_500, 10_000);
        let reports = self.orders(count).await?;
        bench.progress.step(format!("round {number}: reports"));
        let meter = self.office.meter();
        let before = meter.read();
        let began = Instant::now();
        let first = self.send(self.shuffled(&reports), None).await?;
        self.fulfilled(&reports).await?;
        let applied = rate(count, began.elapsed());
        settled(&self.office).await?;
        let first_cpu = per_op(meter.read().saturating_sub(before), count);
        let half = first.per_second() / 2.0;
        bench
            .progress
            .step(format!("round {number}: the same again, and forged ones"));
        let before = meter.read();
        let again = self.send(reports.clone(), Some(half)).await?;
        let again_cpu = per_op(meter.read().saturating_sub(before), again.visits);
        self.acknowledged.extend(&again.latencies);
        let heard = again.guests.iter().map(|one| one.duplicates).sum::<u64>();
        self.audit.check(
            heard == count,
            format!("{heard} of {count} reports are known the second time"),
        );
        let (forged_cpu, forged_sql) = self.forged(&reports).await?;
        bench.progress.step(format!("round {number}: limits"));
        let limit = bench.seconds(1.0, 5.0);
        let mut scratch = self.office.connect("payments").await?;
        Ok(Round {
            applied,
            batched: paid::run(&mut scratch, &bench.sources, limit).await?,
            taken: first.per_second(),
            first_cpu,
            again_cpu,
            forged_cpu,
            forged_sql,
            hmac: hmac_loop(self.signer.clone(), limit).await?,
        })
    }

    /// Orders that wait for their payment, of which the provider has the money by now: what to report of each.
    async fn orders(&mut self, count: u64) -> anyhow::Result<Vec<Report>> {
        let on_sale = self.admin.on_sale("Paid by card", MOST_STOCK).await?;
        let made = orders::make(self.bench, &self.office, &on_sale, (count, false)).await?;
        sql::execute(
            &mut self.payments,
            "UPDATE sandbox.sessions SET status = 'succeeded', settled_at = clock_timestamp()
             WHERE status = 'open'",
        )
        .await?;
        let nonce = self.bench.nonce();
        let report = |(number, order)| Report::paid(&format!("evt_{nonce}{number:08}"), &order);
        Ok(made.into_iter().enumerate().map(report).collect())
    }

    /// A few come after those that came after them.
    fn shuffled(&self, reports: &[Report]) -> Vec<Report> {
        let mut all = reports.to_vec();
        let mut rng = crate::rng::Rng::new(all.len() as u64);
        for place in 0..all.len().saturating_sub(20) {
            if rng.per_cent(LATE_PER_CENT) {
                let other = place + rng.below(20);
                all.swap(place, other);
            }
        }
        all
    }

    /// Signed, over several connections; at a constant rate where one is given.
    async fn send(
        &self,
        reports: Vec<Report>,
        per_second: Option<f64>,
    ) -> anyhow::Result<Ran<Reporter>> {
        let count = reports.len() as u64;
        let delivery = Delivery {
            http: self.office.http,
            signer: self.signer.clone(),
            reports: Arc::new(reports),
            now: self.bench.sources.now().unix_timestamp(),
            forged_per_cent: if per_second.is_none() {
                FORGED_PER_CENT
            } else {
                0
            },
        };
        let guests = delivery.reporters(GUESTS).await?;
        let ran = match per_second {
            None => drive::closed(guests, Until::visits(count)).await?,
            Some(rate) => {
                // A little longer than they take, so that none is left.
                let lasting = Duration::from_secs_f64((count as f64 + 0.5) / rate);
                drive::open(guests, rate, lasting).await?
            }
        };
        let wrong: Vec<&String> = ran.guests.iter().flat_map(|one| &one.wrong).collect();
        ensure!(wrong.is_empty(), "{wrong:?}");
        Ok(ran)
    }

    /// Every one with a signature of somebody else. CPU-µs and transactions for each.
    async fn forged(&mut self, reports: &[Report]) -> anyhow::Result<(f64, f64)> {
        settled(&self.office).await?;
        let delivery = Delivery {
            http: self.office.http,
            signer: Arc::new(Signer::new("a secret that nobody was told of")),
            reports: Arc::new(reports.to_vec()),
            now: self.bench.sources.now().unix_timestamp(),
            forged_per_cent: 100,
        };
        let guests = delivery.reporters(GUESTS).await?;
        let meter = self.office.meter();
        let (before, sql_before) = (meter.read(), self.transactions().await?);
        let began = Instant::now();
        let ran = drive::closed(guests, Until::visits(self.bench.size(5_000, 20_000))).await?;
        let (cpu, took) = (meter.read().saturating_sub(before), began.elapsed());
        let sql = self.transactions().await? - sql_before;
        // What the service does by itself in the same time is no cost of theirs.
        let (began, idle_before) = (Instant::now(), self.transactions().await?);
        tokio::time::sleep(took.max(Duration::from_secs(1))).await;
        let idle = (self.transactions().await? - idle_before) * took.as_secs_f64()
            / began.elapsed().as_secs_f64();
        let refused: u64 = ran.guests.iter().map(|one| one.refused).sum();
        self.audit.check(
            refused == ran.visits,
            format!("{refused} of {} forged reports are refused", ran.visits),
        );
        Ok((
            per_op(cpu, ran.visits),
            (sql - idle).max(0.0) / ran.visits.max(1) as f64,
        ))
    }

    /// In the payments database, as soon as it is published.
    async fn transactions(&mut self) -> anyhow::Result<f64> {
        tokio::time::sleep(Duration::from_millis(1300)).await;
        Ok(sql::number(
            &mut self.payments,
            "SELECT (xact_commit + xact_rollback)::bigint FROM pg_stat_database WHERE datname = current_database()",
        )
        .await? as f64)
    }

    /// Waits until all these orders have their tickets.
    async fn fulfilled(&mut self, reports: &[Report]) -> anyhow::Result<()> {
        let ids: Vec<uuid::Uuid> = reports.iter().map(|report| report.order).collect();
        let until = Instant::now() + PATIENCE;
        loop {
            let open: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM orders WHERE id = ANY ($1) AND status <> 'fulfilled'",
            )
            .bind(&ids)
            .fetch_one(&mut self.payments)
            .await?;
            if open == 0 {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "{open} orders are not fulfilled after {PATIENCE:?}"
            );
            // Sleeps: between two looks, each of which costs as much as a few orders.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Signatures per second on one thread.
async fn hmac_loop(signer: Arc<Signer>, lasting: Duration) -> anyhow::Result<f64> {
    let mut tasks = JoinSet::new();
    tasks.spawn_blocking(move || {
        let body = vec![b'x'; 300];
        let (began, mut signed) = (Instant::now(), 0_u64);
        while began.elapsed() < lasting {
            for _ in 0..100 {
                signer.sign(&body, 1_800_000_000);
            }
            signed += 100;
        }
        rate(signed, began.elapsed())
    });
    let done = tasks.join_next().await.context("one thread")?;
    Ok(done?)
}
