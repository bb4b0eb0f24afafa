//! The pools that the auditor has halted, with what counters and ledger say now.

use std::collections::HashMap;

use base::PoolId;
use proto::ticket::{HaltedPool, ListHaltedPoolsResponse, PoolUnits};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    store::ledger::{self, Sum, Units},
};

/// They are exceptions; who has more of them sees the next ones after resuming these.
const POOLS_MAX: i64 = 100;

pub async fn list_halted_pools(app: &App) -> Result<ListHaltedPoolsResponse, Error> {
    let first = app.db.read((), |conn, ()| Box::pin(first(conn)));
    let (settled, ids) = first.await?;
    let mut sums = HashMap::with_capacity(ids.len());
    for id in &ids {
        let sum = ledger::sum_up_to(&app.db, PoolId::from(*id), settled).await?;
        sums.insert(*id, sum);
    }
    let pools = app.db.read((ids, settled), |conn, (ids, settled)| {
        Box::pin(read(conn, ids, *settled))
    });
    let mut pools = pools.await?;
    for pool in &mut pools {
        let before = pool.id.parse().ok().and_then(|id: Uuid| sums.get(&id));
        add(pool, before.copied().unwrap_or_default());
    }
    Ok(ListHaltedPoolsResponse { pools })
}

/// Which they are, and a time that is settled for their ledgers.
async fn first(conn: &mut PgConnection) -> Result<(OffsetDateTime, Vec<Uuid>), Error> {
    let row = sqlx::query!(
        r#"
        SELECT clock_timestamp() - make_interval(secs => $2) AS "settled!",
               ARRAY(SELECT id FROM pools WHERE halted_at IS NOT NULL
                     ORDER BY halted_at, id LIMIT $1) AS "ids!"
        "#,
        POOLS_MAX,
        ledger::SETTLES_WITHIN_SECS,
    );
    let row = row.fetch_one(conn).await?;
    Ok((row.settled, row.ids))
}

/// In one snapshot, with the rows of the ledger that came after `settled`.
async fn read(
    conn: &mut PgConnection,
    ids: &[Uuid],
    settled: OffsetDateTime,
) -> Result<Vec<HaltedPool>, Error> {
    let rows = sqlx::query!(
        r#"
        SELECT p.id, p.event_id, e.title, p.name, p.capacity, p.held, p.sold, p.blocked,
               p.halted_at AS "halted_at!", p.halt_reason,
               ARRAY(SELECT t.category FROM ticket_type_draws d JOIN ticket_types t ON t.id = d.ticket_type_id
                     WHERE d.pool_id = p.id ORDER BY t.position) AS "categories!",
               l.held AS "ledger_held!", l.sold AS "ledger_sold!", l.blocked AS "ledger_blocked!"
        FROM pools p
        JOIN events e ON e.id = p.event_id
        CROSS JOIN LATERAL (
            SELECT COALESCE(SUM(held_delta), 0)::bigint AS held,
                   COALESCE(SUM(sold_delta), 0)::bigint AS sold,
                   COALESCE(SUM(blocked_delta), 0)::bigint AS blocked
            FROM inventory_ledger WHERE pool_id = p.id AND at > $2
        ) l
        WHERE p.id = ANY($1) AND p.halted_at IS NOT NULL
        ORDER BY p.halted_at, p.id
        "#,
        ids,
        settled,
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

fn add(pool: &mut HaltedPool, before: Sum) {
    let Units {
        held,
        sold,
        blocked,
    } = before.units;
    if let Some(ledger) = &mut pool.ledger {
        ledger.held += held;
        ledger.sold += sold;
        ledger.blocked += blocked;
    }
}
