//! Pools of which nothing is sold.

use base::PoolId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;

/// Halted pools that are told of.
const HALTED_MAX: i64 = 1_000;

/// Halts a pool whose counters differ from its checkpoint and newer rows, and whose ledger is too long
/// for `recount`. Answers whether it did: the difference may be gone by now.
pub async fn halt_suspect(conn: &mut PgConnection, pool_id: PoolId) -> Result<bool, Error> {
    let halted = sqlx::query!(
        r#"
        WITH suspect AS MATERIALIZED (
            SELECT p.generation, p.held, p.sold, p.blocked,
                   a.held + n.held AS all_held, a.sold + n.sold AS all_sold,
                   a.blocked + n.blocked AS all_blocked
            FROM pools p
            JOIN pool_audits a ON a.pool_id = p.id
            CROSS JOIN LATERAL (
                SELECT COALESCE(SUM(held_delta), 0)::bigint AS held,
                       COALESCE(SUM(sold_delta), 0)::bigint AS sold,
                       COALESCE(SUM(blocked_delta), 0)::bigint AS blocked
                FROM inventory_ledger WHERE pool_id = p.id AND at > a.up_to
            ) n
            WHERE p.id = $1
        )
        UPDATE pools p
        SET halted_at = clock_timestamp(),
            halt_reason = format('suspected, for a recount took too long: held %s, sold %s, blocked %s; '
                                 'checkpoint and newer rows say %s, %s and %s',
                                 s.held, s.sold, s.blocked, s.all_held, s.all_sold, s.all_blocked)
        FROM suspect s
        WHERE p.id = $1 AND p.halted_at IS NULL AND p.generation = s.generation
          AND (s.held, s.sold, s.blocked) <> (s.all_held, s.all_sold, s.all_blocked)
        "#,
        pool_id.uuid(),
    );
    Ok(halted.execute(conn).await?.rows_affected() == 1)
}

/// A pool of which nothing is sold.
#[derive(Clone, Debug)]
pub struct Halted {
    pub pool_id: PoolId,
    pub event_id: Uuid,
    pub halted_at: OffsetDateTime,
    pub reason: String,
}

/// The halted pools, the newest first, and how many there are.
pub async fn halted(conn: &mut PgConnection) -> Result<(Vec<Halted>, i64), Error> {
    let rows = sqlx::query!(
        r#"
        SELECT id, event_id, halted_at AS "halted_at!", halt_reason, COUNT(*) OVER () AS "count!"
        FROM pools WHERE halted_at IS NOT NULL
        ORDER BY halted_at DESC LIMIT $1
        "#,
        HALTED_MAX,
    )
    .fetch_all(conn)
    .await?;
    let count = rows.first().map_or(0, |row| row.count);
    let halted = rows.into_iter().map(|row| Halted {
        pool_id: row.id.into(),
        event_id: row.event_id,
        halted_at: row.halted_at,
        reason: row.halt_reason,
    });
    Ok((halted.collect(), count))
}
