//! W7: what events sold, asked for while guests buy. The same with many orders as with few, beside counting the
//! orders themselves, and equal to that to the cent.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    admin::{Admin, MOST_STOCK, OnSale},
    args::Rows,
    audit::Audit,
    bench::Bench,
    drive,
    mesh::BoxOffice,
    mixed_guest::{Mix, MixedGuest, Part, Taste},
    page_guest,
    report::{Entry, Source},
    sql,
    stats::{Latencies, median},
    w7_rows::{fill, folded},
    wire,
};

const EVENTS: usize = 20;
const TYPES: usize = 3;
const FEW: u64 = 10_000;
const GUESTS: usize = 16;
const GUESTS_PER_SECOND: f64 = 20.0;
const ADMINS: usize = 4;
const ADMINS_PER_SECOND: f64 = 40.0;
const MIX: Mix = Mix([
    (Part::Page, 70),
    (Part::Hold, 20),
    (Part::Buy, 8),
    (Part::Cancel, 2),
]);

/// What was sold, earned and sent back by event, type and day, counted.
const PLAIN: &str = "
    SELECT event_id, ticket_type_id, day, sum(sold)::bigint AS sold, sum(revenue)::bigint AS revenue,
           sum(refunded)::bigint AS refunded
    FROM (
        SELECT o.event_id, l.ticket_type_id, (e.at AT TIME ZONE o.event_timezone)::date AS day,
               l.quantity AS sold, l.line_total_minor AS revenue, 0 AS refunded
        FROM order_events e
        JOIN orders o ON o.id = e.order_id JOIN order_lines l ON l.order_id = o.id
        WHERE e.from_status = 'paid' AND e.to_status = 'fulfilled'
        UNION ALL
        SELECT o.event_id, l.ticket_type_id, (r.created_at AT TIME ZONE o.event_timezone)::date, 0, 0,
               b.amount_minor
        FROM refunds r
        JOIN refund_lines b ON b.refund_id = r.id JOIN orders o ON o.id = r.order_id
        JOIN order_lines l ON l.order_id = b.order_id AND l.position = b.position
        WHERE r.status <> 'failed_final') f
    GROUP BY 1, 2, 3";

/// The same, read.
const KEPT: &str = "
    SELECT event_id, ticket_type_id, day, sum(sold)::bigint AS sold, sum(revenue_minor)::bigint AS revenue,
           sum(refunded_minor)::bigint AS refunded
    FROM (SELECT event_id, ticket_type_id, day, sold, revenue_minor, refunded_minor FROM sale_days
          UNION ALL
          SELECT event_id, ticket_type_id, day, sold, revenue_minor, refunded_minor FROM sale_deltas) f
    WHERE ticket_type_id <> '00000000-0000-0000-0000-000000000000'
    GROUP BY 1, 2, 3";

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Entry>> {
    bench.progress.begin("W7 insights", 6);
    let office = bench.open("w7", &[]).await?;
    let source = Source {
        workload: "w7_insights",
        profile: bench.storage.profile(),
        environment: bench.environment(&office).await?,
    };
    let mut admin = office.admin().await?;
    bench.progress.step("the programme");
    let types = Arc::new(programme(&mut admin).await?);
    let mut run = Run {
        bench,
        payments: office.connect("payments").await?,
        office,
        admin,
        types,
    };
    bench.progress.step("few orders");
    let mut few = run.with_orders(FEW, "few").await?;
    bench.progress.step("many orders");
    let orders = match bench.args.rows {
        Rows::None => bench.size(200_000, 1_000_000),
        rows => rows.count(),
    };
    let mut many = run
        .with_orders(orders.saturating_sub(FEW).max(1), "many")
        .await?;
    bench.progress.step("counting them");
    let counted = run.count().await?;
    let mut audit = Audit::default();
    bench.progress.step("comparing");
    run.audit(&mut audit).await?;
    run.office.stop().await?;
    let entries = entries(&source, orders, (&mut few, &mut many), counted);
    Ok(entries
        .into_iter()
        .map(|entry| entry.audited(&audit))
        .collect())
}

fn entries(
    source: &Source,
    orders: u64,
    (few, many): (&mut Latencies, &mut Latencies),
    counted: Vec<[f64; 2]>,
) -> Vec<Entry> {
    let (p50, p99) = (many.p50_ms(), many.p99_ms());
    vec![
        source
            .figure(
                &format!("insights with {orders} orders, sales meanwhile, p99"),
                "ms",
                &[p99],
            )
            .latency(p50, p99)
            .at_most(20.0),
        source
            .against(
                "p99 with that many orders",
                "ms",
                &format!("with {FEW}"),
                vec![[p99, few.p99_ms()]],
            )
            .at_most(1.2),
        source
            .against(
                "median with that many orders",
                "ms",
                &format!("with {FEW}"),
                vec![[p50, few.p50_ms()]],
            )
            .at_most(1.2),
        source
            .against(
                "a GROUP BY of the orders",
                "ms",
                "read from what is kept",
                counted,
            )
            .at_least(100.0),
    ]
}

struct Run<'a> {
    bench: &'a Bench,
    office: BoxOffice,
    admin: Admin,
    payments: PgConnection,
    types: Arc<Vec<OnSale>>,
}

impl Run<'_> {
    /// What an admin waits, with so many more orders, while guests look and buy.
    async fn with_orders(&mut self, orders: u64, word: &str) -> anyhow::Result<Latencies> {
        let say = |text: &str| self.bench.progress.say(text);
        fill(&self.office, &self.types, (orders, word), say).await?;
        self.admin.renew().await?;
        let lasting = self.bench.seconds(10.0, 30.0);
        let guests = self.guests().await?;
        let requests = self.requests();
        let admins = page_guest::guests(self.office.http, requests, ADMINS).await?;
        let (asked, bought) = tokio::join!(
            drive::open(admins, ADMINS_PER_SECOND, lasting),
            drive::open(guests, GUESTS_PER_SECOND, lasting),
        );
        bought?;
        let mut asked = asked?.latencies;
        let (p50, p99) = (asked.p50_ms(), asked.p99_ms());
        say(&format!("  {word}: p50 {p50:.1} ms, p99 {p99:.1} ms"));
        Ok(asked)
    }

    async fn guests(&self) -> anyhow::Result<Vec<MixedGuest>> {
        let mut guests = Vec::new();
        for number in 0..GUESTS {
            let wanted = (self.types.clone(), Taste::Zipf, MIX);
            let nonce = self.bench.nonce();
            guests.push(MixedGuest::open(self.office.http, &nonce, wanted, number).await?);
        }
        Ok(guests)
    }

    /// The last thirty days of each event.
    fn requests(&self) -> Vec<Vec<u8>> {
        let host = self.office.http.to_string();
        let bearer = self.admin.bearer();
        let from = self.bench.sources.now().date() - time::Duration::days(30);
        let events = self.types.iter().take(EVENTS);
        let request = |on_sale: &OnSale| {
            let path = format!(
                "/api/v1/admin/insights?event_id={}&from={from}&bucket=day",
                on_sale.event
            );
            wire::get(&host, &path, &[("authorization", &bearer)])
        };
        events.map(request).collect()
    }

    /// How long it takes to count, and to read what is kept.
    async fn count(&mut self) -> anyhow::Result<Vec<[f64; 2]>> {
        let mut rounds = Vec::new();
        for _ in 0..self.bench.rounds() {
            let plain = self.timed(PLAIN).await?;
            let kept: Vec<f64> = {
                let mut all = Vec::new();
                for _ in 0..10 {
                    all.push(self.timed(KEPT).await?.as_secs_f64());
                }
                all
            };
            let round = [plain.as_secs_f64() * 1000.0, median(&kept) * 1000.0];
            self.bench.progress.say(&format!("  {round:?}"));
            rounds.push(round);
        }
        Ok(rounds)
    }

    async fn timed(&mut self, query: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        sqlx::query(AssertSqlSafe(query.to_owned()))
            .fetch_all(&mut self.payments)
            .await?;
        Ok(began.elapsed())
    }

    /// The doctor is not asked: he would rightly miss the tickets of orders that never were.
    async fn audit(&mut self, audit: &mut Audit) -> anyhow::Result<()> {
        let columns = "event_id, ticket_type_id, day, sold, revenue, refunded";
        let differ = format!(
            "SELECT count(*) FROM (
                 (SELECT {columns} FROM ({PLAIN}) a EXCEPT SELECT {columns} FROM ({KEPT}) b)
                 UNION ALL
                 (SELECT {columns} FROM ({KEPT}) c WHERE (sold, revenue, refunded) <> (0, 0, 0)
                  EXCEPT SELECT {columns} FROM ({PLAIN}) d)) x"
        );
        let rows = sql::number(&mut self.payments, &differ).await?;
        audit.check(
            rows == 0,
            format!("{rows} rows of event, type and day differ from a count"),
        );
        let drift = sql::number(&mut self.payments, "SELECT count(*) FROM sale_drift").await?;
        audit.check(
            drift == 0,
            format!("{drift} figures of sales differ from a recount"),
        );
        let mut tickets = self.office.connect("tickets").await?;
        let drift = sql::number(&mut tickets, "SELECT count(*) FROM traffic_drift").await?;
        audit.check(
            drift == 0,
            format!("{drift} counts of holds differ from a recount"),
        );
        folded(&mut self.payments, "sale_deltas").await?;
        self.admin.renew().await?;
        let mut wrong = 0;
        for on_sale in self.types.clone().iter().take(EVENTS) {
            let path = format!("/api/v1/admin/insights?event_id={}", on_sale.event);
            let told = self.admin.read(&path).await?;
            wrong += u64::from(earned(&told)? != self.counted(&on_sale.event).await?);
        }
        audit.check(
            wrong == 0,
            format!("{wrong} events are told another revenue than a count says"),
        );
        Ok(())
    }

    async fn counted(&mut self, event: &str) -> anyhow::Result<[i64; 2]> {
        let event: uuid::Uuid = event.parse()?;
        let query = format!(
            "SELECT COALESCE(sum(revenue), 0)::bigint, COALESCE(sum(refunded), 0)::bigint
             FROM ({PLAIN}) f WHERE event_id = $1"
        );
        let (revenue, refunded) = sqlx::query_as(AssertSqlSafe(query))
            .bind(event)
            .fetch_one(&mut self.payments)
            .await?;
        Ok([revenue, refunded])
    }
}

/// Revenue and refunds in an answer.
fn earned(told: &Value) -> anyhow::Result<[i64; 2]> {
    let total = &told["events"][0]["total"];
    let minor = |name: &str| {
        let money = total[name][0]["amount_minor"].as_i64();
        money.with_context(|| format!("an answer without {name}: {told}"))
    };
    Ok([minor("revenue")?, minor("refunds")?])
}

/// The first type of every event, then the second ones.
async fn programme(admin: &mut Admin) -> anyhow::Result<Vec<OnSale>> {
    let mut types = vec![Vec::new(); TYPES];
    for number in 0..EVENTS {
        let event = admin.event(&format!("Evening {number}")).await?;
        for (place, kinds) in types.iter_mut().enumerate() {
            let name = format!("Row {place}");
            kinds.push(admin.kind(&event, &name, MOST_STOCK).await?);
        }
    }
    Ok(types.concat())
}
