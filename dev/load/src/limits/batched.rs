//! What PostgreSQL can do when it is asked well: one set-based statement for many holds, on one connection, into the
//! very tables that ours writes.

use std::time::{Duration, Instant};

use anyhow::ensure;
use base::Sources;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{admin::OnSale, stats::rate};

/// Holds in one statement.
pub const BATCH: usize = 256;

const STATEMENT: &str = "
    WITH taken AS (
        UPDATE pools SET held = held + cardinality($1::uuid[])
        WHERE id = $2 AND held + sold + blocked + cardinality($1::uuid[]) <= capacity
        RETURNING id
    ), made AS (
        INSERT INTO holds (id, event_id, status, expires_at, body_hash, secret_key_id,
            secret_generation, currency, total_minor)
        SELECT wish.id, $3, 'active', clock_timestamp() + interval '10 minutes', $5, 'k1', 1, 'EUR', 4500
        FROM taken, unnest($1::uuid[]) AS wish (id)
        RETURNING id
    ), lines AS (
        INSERT INTO hold_lines (hold_id, line, ticket_type_id, category, quantity, unit_price_minor)
        SELECT id, 1, $4, 'Standing', 1, 4500 FROM made
    )
    INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta, sold_delta)
    SELECT id, $2, 1, 'hold', 1, 0 FROM made";

/// Holds per second over so long, and how many there were.
pub async fn run(
    database: &mut PgConnection,
    on_sale: &OnSale,
    sources: &Sources,
    lasting: Duration,
) -> anyhow::Result<(f64, u64)> {
    let (event, kind): (Uuid, Uuid) = (on_sale.event.parse()?, on_sale.kind.parse()?);
    let pool: Uuid = sqlx::query_scalar("SELECT pool_id FROM ticket_types WHERE id = $1")
        .bind(kind)
        .fetch_one(&mut *database)
        .await?;
    let body_hash = [7_u8; 32];
    let (began, mut holds) = (Instant::now(), 0);
    while began.elapsed() < lasting {
        let ids: Vec<Uuid> = (0..BATCH).map(|_| sources.uuid_v7()).collect();
        let made = sqlx::query(STATEMENT)
            .bind(&ids)
            .bind(pool)
            .bind(event)
            .bind(kind)
            .bind(body_hash.as_slice())
            .execute(&mut *database)
            .await?;
        ensure!(
            made.rows_affected() == BATCH as u64,
            "the limit ran out of stock"
        );
        holds += BATCH as u64;
    }
    Ok((rate(holds, began.elapsed()), holds))
}
