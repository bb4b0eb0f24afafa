//! Adds up the ledger of one pool, however long it is: in steps, none of which takes long and none of
//! which keeps a lock.

use base::PoolId;
use db::Db;
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::Error;

/// No transaction that writes rows lasts as long as this: rows that were stamped before are there.
pub const SETTLES_WITHIN_SECS: f64 = 60.0;
/// Rows of a step, and those that were stamped with the last one of them.
const STEP_ROWS: i64 = 200_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Units {
    pub held: i64,
    pub sold: i64,
    pub blocked: i64,
}

/// What the ledger adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub units: Units,
    /// What holds have set aside that are neither ended nor sold.
    pub live: i64,
}

impl Sum {
    pub fn and(self, more: Self) -> Self {
        Self {
            units: Units {
                held: self.units.held + more.units.held,
                sold: self.units.sold + more.units.sold,
                blocked: self.units.blocked + more.units.blocked,
            },
            live: self.live + more.live,
        }
    }
}

/// The rows up to a time. The auditor's checkpoint is no beginning: rows of long ago may be what was
/// changed, or put back since. Each step sees what is there then, so the time must be a settled one:
/// no row may appear before it any more.
pub async fn sum_up_to(db: &Db, pool_id: PoolId, up_to: OffsetDateTime) -> Result<Sum, Error> {
    let (mut sum, mut after) = (Sum::default(), None);
    loop {
        let step = db.read((pool_id, after, up_to), |conn, (pool_id, after, up_to)| {
            Box::pin(step(conn, *pool_id, *after, *up_to))
        });
        let (more, reached) = step.await?;
        sum = sum.and(more);
        if reached >= up_to {
            return Ok(sum);
        }
        after = Some(reached);
    }
}

/// The next rows, and the time up to which that is all of them.
async fn step(
    conn: &mut PgConnection,
    pool_id: PoolId,
    after: Option<OffsetDateTime>,
    up_to: OffsetDateTime,
) -> Result<(Sum, OffsetDateTime), Error> {
    let row = sqlx::query!(
        r#"
        WITH stop AS MATERIALIZED (
            SELECT LEAST($3::timestamptz, (
                SELECT at FROM inventory_ledger
                WHERE pool_id = $1 AND at > COALESCE($2::timestamptz, '-infinity')
                ORDER BY at OFFSET $4 LIMIT 1)) AS at
        )
        SELECT (SELECT at FROM stop) AS "reached!",
               COALESCE(SUM(held_delta), 0)::bigint AS "held!",
               COALESCE(SUM(sold_delta), 0)::bigint AS "sold!",
               COALESCE(SUM(blocked_delta), 0)::bigint AS "blocked!",
               COALESCE(SUM(held_delta) FILTER (WHERE transition IN ('hold', 'free', 'sell')), 0)::bigint
                   AS "live!"
        FROM inventory_ledger
        WHERE pool_id = $1 AND at > COALESCE($2::timestamptz, '-infinity')
          AND at <= (SELECT at FROM stop)
        "#,
        pool_id.uuid(),
        after,
        up_to,
        STEP_ROWS,
    );
    let row = row.fetch_one(conn).await?;
    let sum = Sum {
        units: Units {
            held: row.held,
            sold: row.sold,
            blocked: row.blocked,
        },
        live: row.live,
    };
    Ok((sum, row.reached))
}

/// The rows after a time, for a caller who knows that they are few.
pub async fn sum_after(
    conn: &mut PgConnection,
    pool_id: PoolId,
    after: OffsetDateTime,
) -> Result<Sum, Error> {
    let row = sqlx::query!(
        r#"
        SELECT COALESCE(SUM(held_delta), 0)::bigint AS "held!",
               COALESCE(SUM(sold_delta), 0)::bigint AS "sold!",
               COALESCE(SUM(blocked_delta), 0)::bigint AS "blocked!",
               COALESCE(SUM(held_delta) FILTER (WHERE transition IN ('hold', 'free', 'sell')), 0)::bigint
                   AS "live!"
        FROM inventory_ledger WHERE pool_id = $1 AND at > $2
        "#,
        pool_id.uuid(),
        after,
    );
    let row = row.fetch_one(conn).await?;
    Ok(Sum {
        units: Units {
            held: row.held,
            sold: row.sold,
            blocked: row.blocked,
        },
        live: row.live,
    })
}
