//! The pools that the auditor has halted, with what counters and ledger say now.

use proto::ticket::{HaltedPool, ListHaltedPoolsResponse, PoolUnits};
use sqlx::PgConnection;

use crate::{app::App, error::Error};

/// They are exceptions; who has more of them sees the next ones after resuming these.
const POOLS_MAX: i64 = 100;

pub async fn list_halted_pools(app: &App) -> Result<ListHaltedPoolsResponse, Error> {
    let pools = app.db.read((), |conn, ()| Box::pin(read(conn)));
    Ok(ListHaltedPoolsResponse {
        pools: pools.await?,
    })
}

async fn read(conn: &mut PgConnection) -> Result<Vec<HaltedPool>, Error> {
    let rows = sqlx::query!(
        r#"
        SELECT p.id, p.event_id, e.title, p.name, p.capacity, p.held, p.sold, p.blocked,
               p.halted_at AS "halted_at!", p.halt_reason,
               ARRAY(SELECT t.category FROM ticket_type_draws d JOIN ticket_types t ON t.id = d.ticket_type_id
                     WHERE d.pool_id = p.id ORDER BY t.position) AS "categories!",
               l.held AS "ledger_held!", l.sold AS "ledger_sold!", l.blocked AS "ledger_blocked!"
        FROM (SELECT id FROM pools WHERE halted_at IS NOT NULL ORDER BY halted_at, id LIMIT $1) first
        JOIN pools p ON p.id = first.id
        JOIN events e ON e.id = p.event_id
        CROSS JOIN LATERAL (
            SELECT COALESCE(SUM(held_delta), 0)::bigint AS held,
                   COALESCE(SUM(sold_delta), 0)::bigint AS sold,
                   COALESCE(SUM(blocked_delta), 0)::bigint AS blocked
            FROM inventory_ledger WHERE pool_id = p.id
        ) l
        ORDER BY p.halted_at, p.id
        "#,
        POOLS_MAX,
    )
    .fetch_all(conn)
    .await?;
    let pools = rows.into_iter().map(|row| HaltedPool {
        id: row.id.to_string(),
        event_id: row.event_id.to_string(),
        event_title: row.title,
        name: row.name,
        categories: row.categories,
        capacity: row.capacity,
        counters: Some(PoolUnits {
            held: row.held,
            sold: row.sold,
            blocked: row.blocked,
        }),
        ledger: Some(PoolUnits {
            held: row.ledger_held,
            sold: row.ledger_sold,
            blocked: row.ledger_blocked,
        }),
        halted_at: Some(proto::timestamp(row.halted_at)),
        reason: row.halt_reason,
    });
    Ok(pools.collect())
}
