//! Marking orders as paid, and a message about each, as one statement for many on one connection: what PostgreSQL can
//! do when it is asked well.

use std::time::{Duration, Instant};

use anyhow::ensure;
use base::Sources;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{sql, stats::rate};

const BATCH: usize = 256;
/// Made before the clock runs.
const ORDERS: i64 = 400_000;

/// Orders per second over so long.
pub async fn run(
    database: &mut PgConnection,
    sources: &Sources,
    lasting: Duration,
) -> anyhow::Result<f64> {
    sql::execute(
        database,
        format!(
            "DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench;
             CREATE TABLE bench.orders (number bigint PRIMARY KEY, status text NOT NULL, total_minor bigint NOT NULL,
                 paid_at timestamptz, updated_at timestamptz);
             CREATE TABLE bench.outbox (id uuid PRIMARY KEY, envelope bytea NOT NULL,
                 created_at timestamptz NOT NULL DEFAULT clock_timestamp());
             INSERT INTO bench.orders SELECT n, 'awaiting_payment', 4500 FROM generate_series(1, {ORDERS}) AS n"
        ),
    )
    .await?;
    let envelope = vec![7_u8; 600];
    let (began, mut done) = (Instant::now(), 0_i64);
    while began.elapsed() < lasting && done < ORDERS - BATCH as i64 {
        let ids: Vec<Uuid> = (0..BATCH).map(|_| sources.uuid_v7()).collect();
        let numbers: Vec<i64> = (done + 1..=done + BATCH as i64).collect();
        let marked = sqlx::query(
            "WITH paid AS (
                 UPDATE bench.orders SET status = 'paid', paid_at = clock_timestamp(), updated_at = clock_timestamp()
                 WHERE number = ANY ($1) AND status = 'awaiting_payment'
             )
             INSERT INTO bench.outbox (id, envelope) SELECT id, $3 FROM unnest($2::uuid[]) AS wish (id)",
        )
        .bind(&numbers)
        .bind(&ids)
        .bind(&envelope)
        .execute(&mut *database)
        .await?;
        ensure!(
            marked.rows_affected() == BATCH as u64,
            "the limit lost orders"
        );
        done += BATCH as i64;
    }
    let per_second = rate(done.unsigned_abs(), began.elapsed());
    sql::execute(database, "DROP SCHEMA bench CASCADE").await?;
    Ok(per_second)
}
