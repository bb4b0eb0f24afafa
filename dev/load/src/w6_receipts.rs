//! W6: receipts come at a steady rate, then very many are due at once. How fast the queue is drained into
//! a mail server, beside the same mails rendered by the same code and sent without a queue.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sqlx::PgConnection;

use crate::{
    admin::Admin,
    audit::Audit,
    bench::Bench,
    limits::raw_mail,
    mesh::BoxOffice,
    orders,
    report::{Entry, Source},
    smtp::Sink,
    sql,
    stats::{Latencies, median, per_op, rate},
};

const PATIENCE: Duration = Duration::from_secs(1800);
/// As many as notify-svc sends at once.
const RAW_SENDERS: usize = 8;
const STEADY_PER_SECOND: f64 = 10.0;

#[derive(Clone, Copy, Debug)]
struct Round {
    drained: f64,
    raw: f64,
    cpu_us: f64,
    /// The same with ten times the backlog behind it.
    deep_cpu_us: f64,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W6 receipts", 3 + 3 * bench.rounds());
    let sink = Sink::start().await?;
    let office = bench.open("w6", &[("SMTP_URL", sink.url())]).await?;
    let source = Source {
        workload: "w6_receipts",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut run = Run {
        bench,
        admin: office.admin().await?,
        notifications: office.connect("notifications").await?,
        office,
        sink,
        audit: Audit::default(),
    };
    bench.progress.step("a steady rate");
    let mut steady = run.steady().await?;
    let mut rounds = Vec::new();
    for number in 1..=bench.rounds() {
        let round = run.round(number).await?;
        bench.progress.say(&format!("  {round:?}"));
        rounds.push(round);
    }
    let entries = entries(&source, &rounds, &mut steady);
    run.office.stop().await?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.audited(&run.audit))
        .collect())
}

fn entries(source: &Source, rounds: &[Round], steady: &mut Latencies) -> Vec<Entry> {
    let all = |of: fn(&Round) -> f64| -> Vec<f64> { rounds.iter().map(of).collect() };
    let pairs = |of: fn(&Round) -> [f64; 2]| -> Vec<[f64; 2]> { rounds.iter().map(of).collect() };
    vec![
        source
            .against(
                "receipts from a backlog",
                "mails/s",
                "sent without a queue",
                pairs(|r| [r.drained, r.raw]),
            )
            .cpu(median(&all(|round| round.cpu_us)), None)
            .at_least(0.8),
        source
            .figure(
                "paid until the mail server has it, p99",
                "ms",
                &[steady.p99_ms()],
            )
            .latency(steady.p50_ms(), steady.p99_ms())
            .at_most(1000.0),
        source
            .against(
                "CPU-µs of a mail with a tenfold backlog",
                "µs",
                "with a small one",
                pairs(|r| [r.deep_cpu_us, r.cpu_us]),
            )
            .at_most(1.1),
    ]
}

struct Run<'a> {
    bench: &'a Bench,
    office: BoxOffice,
    admin: Admin,
    notifications: PgConnection,
    sink: Sink,
    audit: Audit,
}

impl Run<'_> {
    /// Orders are paid at a constant rate; from the card's answer until the mail is accepted.
    async fn steady(&mut self) -> anyhow::Result<Latencies> {
        let on_sale = self.admin.on_sale("A concert", 1_000_000).await?;
        let mut took = Latencies::default();
        let orders = self.bench.size(40, 300);
        let pause = Duration::from_secs_f64(1.0 / STEADY_PER_SECOND);
        let mut paid = Vec::new();
        for _ in 0..orders {
            let began = Instant::now();
            let made = orders::make(self.bench, &self.office, &on_sale, (1, true)).await?;
            paid.extend(made.into_iter().map(|order| (order, Instant::now())));
            // Sleeps: the next guest comes at the pace of all.
            tokio::time::sleep(pause.saturating_sub(began.elapsed())).await;
        }
        self.sink.wait_for(orders, PATIENCE).await?;
        let arrived = self.sink.take();
        for (order, at) in &paid {
            let mail = arrived
                .iter()
                .find(|mail| mail.text_holds(&order.id.to_string()));
            if let Some(mail) = mail {
                took.record(mail.at.saturating_duration_since(*at));
            }
        }
        let found = took.count();
        self.audit.check(
            found == orders,
            format!("{found} of {orders} paid orders have a receipt"),
        );
        self.audit.doctor(&self.office).await?;
        Ok(took)
    }

    async fn round(&mut self, number: usize) -> anyhow::Result<Round> {
        let bench = self.bench;
        let count = bench.size(3_000, 20_000);
        bench
            .progress
            .step(format!("round {number}: a backlog of {count}"));
        let (drained, cpu_us) = self.drain(count, count).await?;
        bench.progress.step(format!(
            "round {number}: the same with ten times as many waiting"
        ));
        let (_, deep_cpu_us) = self.drain(count * 10, count).await?;
        bench
            .progress
            .step(format!("round {number}: without a queue"));
        let raw = raw_mail::run(self.sink.address(), RAW_SENDERS, bench.seconds(3.0, 15.0)).await?;
        self.sink.take();
        Ok(Round {
            drained,
            raw,
            cpu_us,
            deep_cpu_us,
        })
    }

    /// Puts so many receipts in the queue and waits until so many of them are sent. Mails per second, and CPU-µs of one.
    async fn drain(&mut self, backlog: u64, sent: u64) -> anyhow::Result<(f64, f64)> {
        self.sink.take();
        self.sink.forget_duplicates();
        let before_mails = self.sink.accepted();
        enqueue(&mut self.notifications, backlog).await?;
        // Nobody tells the worker of rows that were put there by hand: it looks once a second.
        self.sink.wait_for(before_mails + 1, PATIENCE).await?;
        let (meter, first) = (self.office.meter(), self.sink.accepted());
        let (began, before) = (Instant::now(), meter.read());
        self.sink.wait_for(before_mails + sent, PATIENCE).await?;
        let mails = self.sink.accepted() - first;
        let result = (
            rate(mails, began.elapsed()),
            per_op(meter.read().saturating_sub(before), mails),
        );
        // The rest need not be waited for.
        let dropped = sql::number(
            &mut self.notifications,
            "WITH gone AS (DELETE FROM notifications WHERE status = 'queued' AND attempts = 0 RETURNING 1)
             SELECT count(*) FROM gone",
        )
        .await?;
        self.quiet().await?;
        // What only a bench deletes is not to lie in the way of its next round.
        sqlx::query("VACUUM notifications")
            .execute(&mut self.notifications)
            .await?;
        let arrived = self.sink.accepted() - before_mails + dropped.unsigned_abs();
        self.audit.check(
            arrived == backlog && self.sink.duplicates() == 0,
            format!(
                "of {backlog} receipts {dropped} were taken back, the others arrived once: {arrived}, {} twice",
                self.sink.duplicates()
            ),
        );
        Ok(result)
    }

    async fn quiet(&mut self) -> anyhow::Result<()> {
        let left = "SELECT count(*) FROM notifications WHERE status IN ('queued', 'sending')";
        let until = Instant::now() + Duration::from_secs(120);
        while sql::number(&mut self.notifications, left).await? > 0 {
            ensure!(Instant::now() < until, "the queue does not empty");
            // Sleeps: between two looks.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Receipts of orders that never were, copies of a real one.
async fn enqueue(database: &mut PgConnection, count: u64) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO notifications (id, message_id, order_id, kind, channel, recipient, content)
         SELECT gen_random_uuid(), one.message_id, gen_random_uuid(), 'receipt', 'email', one.recipient, one.content
         FROM (SELECT message_id, recipient, content FROM notifications WHERE kind = 'receipt' LIMIT 1) AS one,
             generate_series(1, $1)",
    )
    .bind(i64::try_from(count)?)
    .execute(database)
    .await?;
    Ok(())
}
