//! W3 with rows of the past: ten million of them must not make a hold dearer.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    cost::Cost,
    report::{Entry, Source},
    settle, sql,
    stats::median,
    w3_hot_sale::Sale,
};

const GOAL: f64 = 1.1;
/// Rows of one statement.
const CHUNK: u64 = 100_000;
/// So many types have had their sale.
const POOLS: u64 = 100;

/// Holds in two box offices by turns: one has the past, the other has none.
pub async fn run(mut old: Sale<'_>, source: &Source) -> anyhow::Result<Vec<Entry>> {
    let bench = old.bench;
    let mut young = Sale::open(bench, "w3-young").await?;
    let rows = bench.args.rows.count();
    fill(&mut old, rows).await?;
    // That took a while.
    old.admin.renew().await?;
    young.admin.renew().await?;
    let (mut full, mut empty) = (Vec::new(), Vec::new());
    for number in 0..bench.rounds() {
        // Each comes first in every other round.
        for turn in 0..2 {
            if (number + turn) % 2 == 0 {
                bench.progress.step("holds without a past");
                empty.push(sell(&mut young).await?);
            } else {
                bench.progress.step("holds with a past");
                full.push(sell(&mut old).await?);
            }
        }
    }
    young.audit.doctor(&young.office).await?;
    young.office.stop().await?;
    old.audit.doctor(&old.office).await?;
    old.audit.join(young.audit);
    let cpu = |of: &[(f64, Cost, f64)]| -> Vec<f64> {
        of.iter().map(|(_, cost, _)| cost.cpu_us).collect()
    };
    let pairs = |ours: &[f64], limit: &[f64]| -> Vec<[f64; 2]> {
        ours.iter().zip(limit).map(|(a, b)| [*a, *b]).collect()
    };
    let rate =
        |of: &[(f64, Cost, f64)]| -> Vec<f64> { of.iter().map(|(rate, ..)| *rate).collect() };
    let what = format!("CPU-µs per hold with {rows} holds of the past");
    let entries = vec![
        source
            .against(
                &what,
                "µs",
                "without them",
                pairs(&cpu(&full), &cpu(&empty)),
            )
            .cpu(median(&cpu(&full)), Some(median(&cpu(&empty))))
            .at_most(GOAL)
            .audited(&old.audit),
        source
            .against(
                "durable holds",
                "holds/s",
                "without them",
                pairs(&rate(&full), &rate(&empty)),
            )
            .audited(&old.audit),
    ];
    old.office.stop().await?;
    Ok(entries)
}

async fn sell(sale: &mut Sale<'_>) -> anyhow::Result<(f64, Cost, f64)> {
    settle::calm(&sale.office.meter()).await?;
    // Long enough that one thread of the kernel's in between does not decide.
    let capacity = sale.bench.size(60_000, 100_000);
    sale.sell(capacity, capacity + capacity / 10).await
}

/// Holds that expired long ago, with all that they left behind, in events of their own.
async fn fill(sale: &mut Sale<'_>, rows: u64) -> anyhow::Result<()> {
    let event = sale.admin.event("Long ago").await?;
    let mut kinds = Vec::new();
    for number in 0..POOLS {
        let kind = sale
            .admin
            .kind(&event, &format!("Row {number}"), 1_000_000)
            .await?;
        kinds.push(kind.kind.parse::<Uuid>()?);
    }
    sql::hold_ids(&mut sale.tickets).await?;
    let mut done = 0;
    while done < rows {
        let chunk = CHUNK.min(rows - done);
        sale.bench
            .progress
            .say(&format!("  {done} of {rows} rows of the past"));
        // Of a day each, the oldest first.
        let days_ago = 1 + (rows - done) / CHUNK;
        let past = (chunk, i32::try_from(days_ago)?);
        insert(&mut sale.tickets, event.parse()?, &kinds, past).await?;
        done += chunk;
    }
    // Else the server tidies up after them while holds are measured.
    for table in ["holds", "hold_lines", "inventory_ledger"] {
        sql::execute(&mut sale.tickets, format!("VACUUM ANALYZE {table}")).await?;
    }
    sql::execute(&mut sale.tickets, "CHECKPOINT").await
}

async fn insert(
    database: &mut PgConnection,
    event: Uuid,
    kinds: &[Uuid],
    (rows, days_ago): (u64, i32),
) -> anyhow::Result<()> {
    sqlx::query(
        "WITH made AS (
             INSERT INTO holds (id, event_id, status, expires_at, body_hash, secret_key_id,
                 secret_generation, currency, total_minor, created_at, ended_at)
             SELECT pg_temp.hold_id(at), $1, 'expired', at, sha256(''), 'k1', 1, 'EUR', 4500, at, at
             FROM (SELECT now() - make_interval(days => $4) AS at FROM generate_series(1, $3)) past
             RETURNING id, $2[1 + (hashtextextended(id::text, 0) & 1023) % cardinality($2)] AS kind
         ), lines AS (
             INSERT INTO hold_lines (hold_id, line, ticket_type_id, category, quantity, unit_price_minor)
             SELECT id, 1, kind, 'Row', 1, 4500 FROM made
         )
         INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta, sold_delta)
         SELECT made.id, t.pool_id, 1, step.word, step.delta, 0
         FROM made JOIN ticket_types t ON t.id = made.kind
         CROSS JOIN (VALUES ('hold', 1), ('free', -1)) AS step (word, delta)",
    )
    .bind(event)
    .bind(kinds)
    .bind(i64::try_from(rows)?)
    .bind(days_ago)
    .execute(database)
    .await?;
    Ok(())
}
