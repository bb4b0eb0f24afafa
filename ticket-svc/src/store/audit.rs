//! What the auditor asks and does. Counters and ledger change in one transaction, so a single statement,
//! which sees one snapshot, finds them equal however busy the sale is. Two statements would not.
//!
//! # Which rows of the ledger are settled
//!
//! Adding up a long ledger each second would cost more than the sale. So `pool_audits` keeps the sum up
//! to a time, and only what is newer is added to it. That must be a time before which no row can appear
//! any more, and a clock alone does not give one: a transaction stamps its row and commits when it
//! likes, and however far back the line is drawn, some commit is slower. Transaction ids give it:
//!
//! 1. A writer locks the pool before it stamps a row (`stock`, `pools`, `hold::store`), so it has its
//!    id by then.
//! 2. A mark takes the time first, and then an id of its own. Ids only rise: who stamped a row at or
//!    before the mark's time has a lower one. (The upper bound of a snapshot would not do. It is one
//!    more than the last id that has *ended*, and some that still run may be above it.)
//! 3. Once the lowest id that a snapshot sees running is not below the mark's, all of those have ended,
//!    and this same snapshot sees what they wrote. The time of the mark is settled for ever.
//!
//! Nobody is locked out for that, and nothing waits for it. What remains is a clock that is set back:
//! then rows are stamped before the time of an older mark. So what a checkpoint says is a suspicion and
//! no more: only `recount`, which adds up the whole ledger in one statement, halts a pool.

use base::PoolId;
use db::DbError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Error;

/// Pools whose newest rows one look adds up; with more of them they take turns. A counter that was
/// changed is seen in every look.
pub const POOLS_PER_LOOK: i64 = 5_000;
/// With more rows since its checkpoint than this the checkpoint has to come nearer first (`step_on`).
const NEW_ROWS_MAX: i64 = 200_000;
/// A checkpoint moves on when it saves so many rows.
const MOVE_AFTER_ROWS: i64 = 1_000;
/// Pools that are to be recounted, of one answer.
const DUE_MAX: i64 = 1_000;

/// A time that is settled once every transaction with a lower id has ended.
#[derive(Clone, Debug)]
pub struct Mark {
    at: OffsetDateTime,
    xid: String,
}

/// A microsecond back, the grain of the clock: within the same one, before and after look alike.
pub async fn mark(conn: &mut PgConnection) -> Result<Mark, Error> {
    let mark = sqlx::query_as!(
        Mark,
        r#"
        WITH clock AS MATERIALIZED (SELECT clock_timestamp() - interval '1 microsecond' AS at)
        SELECT at AS "at!", pg_current_xact_id()::text AS "xid!" FROM clock
        "#,
    );
    Ok(mark.fetch_one(conn).await?)
}

/// What the auditor knows of time.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// The newest time that is known to be settled.
    pub settled_at: Option<OffsetDateTime>,
    /// The next one. Kept until it is settled: a newer one each time never would be while
    /// transactions overlap.
    pub mark: Option<Mark>,
}

impl Times {
    /// Whether the mark is settled, by what a look found.
    pub fn is_over(&self, look: &Look) -> bool {
        let marked = self.mark.as_ref().map(|mark| mark.at);
        marked.is_none() || marked == look.settled_at
    }
}

/// What a look at all pools found.
#[derive(Debug)]
pub struct Look {
    /// The newest settled time.
    pub settled_at: Option<OffsetDateTime>,
    /// Where the next look goes on.
    pub next_after: Uuid,
    /// Counters that differ from checkpoint and newer rows.
    pub suspects: Vec<PoolId>,
    /// Pools with too many newer rows to add them up each time.
    pub overlong: Vec<PoolId>,
    pub moves: Vec<Move>,
}

/// The times stand on every row; without a pool worth a word there is one row with them alone.
struct LookRow {
    settled_at: Option<OffsetDateTime>,
    next_after: Option<Uuid>,
    id: Option<Uuid>,
    up_to: Option<OffsetDateTime>,
    is_overlong: Option<bool>,
    differs: Option<bool>,
    held: Option<i64>,
    sold: Option<i64>,
    blocked: Option<i64>,
}

/// A checkpoint on its way from one settled time to a later one.
#[derive(Clone, Debug)]
pub struct Move {
    pool_id: Uuid,
    from: OffsetDateTime,
    to: OffsetDateTime,
    held: i64,
    sold: i64,
    blocked: i64,
}

/// Compares the counters of all pools with their checkpoints, and adds the newer rows of those that
/// differ or whose turn it is: the ones after `after`.
pub async fn look(conn: &mut PgConnection, times: &Times, after: Uuid) -> Result<Look, Error> {
    let mark = times.mark.as_ref();
    let rows = sqlx::query_as!(
        LookRow,
        r#"
        WITH settled AS MATERIALIZED (
            SELECT CASE WHEN pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8
                   THEN $2::timestamptz ELSE $7::timestamptz END AS at
        ), turn AS MATERIALIZED (
            SELECT id FROM pools WHERE id > $3 ORDER BY id LIMIT $4
        ), looked AS (
            SELECT p.id, a.up_to, n.rows, n.settled_rows, n.settled_held, n.settled_sold, n.settled_blocked,
                   (p.held, p.sold, p.blocked)
                       <> (a.held + n.held, a.sold + n.sold, a.blocked + n.blocked) AS differs
            FROM pools p
            JOIN pool_audits a ON a.pool_id = p.id
            CROSS JOIN LATERAL (
                SELECT COUNT(*) AS rows,
                       COALESCE(SUM(held_delta), 0)::bigint AS held,
                       COALESCE(SUM(sold_delta), 0)::bigint AS sold,
                       COALESCE(SUM(blocked_delta), 0)::bigint AS blocked,
                       COUNT(*) FILTER (WHERE is_settled) AS settled_rows,
                       COALESCE(SUM(held_delta) FILTER (WHERE is_settled), 0)::bigint AS settled_held,
                       COALESCE(SUM(sold_delta) FILTER (WHERE is_settled), 0)::bigint AS settled_sold,
                       COALESCE(SUM(blocked_delta) FILTER (WHERE is_settled), 0)::bigint AS settled_blocked
                FROM (
                    SELECT held_delta, sold_delta, blocked_delta,
                           at <= (SELECT at FROM settled) AS is_settled
                    FROM inventory_ledger
                    WHERE pool_id = p.id AND at > a.up_to
                    ORDER BY at LIMIT $5
                ) newer
            ) n
            WHERE p.halted_at IS NULL
              AND ((p.held, p.sold, p.blocked) <> (a.held, a.sold, a.blocked)
                OR p.id IN (SELECT id FROM turn))
        )
        SELECT s.at AS "settled_at?",
               CASE WHEN (SELECT COUNT(*) FROM turn) = $4
                    THEN (SELECT id FROM turn ORDER BY id DESC LIMIT 1) END AS "next_after?",
               l.id AS "id?", l.up_to AS "up_to?", l.rows >= $5 AS "is_overlong?", l.differs AS "differs?",
               l.settled_held AS "held?", l.settled_sold AS "sold?", l.settled_blocked AS "blocked?"
        FROM settled s
        LEFT JOIN looked l ON l.differs OR l.rows >= $5 OR l.settled_rows >= $6
        ORDER BY l.id
        "#,
        mark.map(|mark| &*mark.xid),
        mark.map(|mark| mark.at),
        after,
        POOLS_PER_LOOK,
        NEW_ROWS_MAX,
        MOVE_AFTER_ROWS,
        times.settled_at,
    )
    .fetch_all(conn)
    .await?;
    read(rows)
}

/// What is to be done about each pool that a look has singled out.
fn read(rows: Vec<LookRow>) -> Result<Look, Error> {
    let first = rows.first().ok_or(Error::Fault("a look saw nothing"))?;
    let mut look = Look {
        settled_at: first.settled_at,
        next_after: first.next_after.unwrap_or_default(),
        suspects: Vec::new(),
        overlong: Vec::new(),
        moves: Vec::new(),
    };
    for row in rows {
        let Some(id) = row.id else { continue };
        if row.is_overlong == Some(true) {
            look.overlong.push(id.into());
        } else if row.differs == Some(true) {
            look.suspects.push(id.into());
        } else if let (Some(from), Some(to)) = (row.up_to, row.settled_at) {
            look.moves.push(Move {
                pool_id: id,
                from,
                to,
                held: row.held.unwrap_or_default(),
                sold: row.sold.unwrap_or_default(),
                blocked: row.blocked.unwrap_or_default(),
            });
        }
    }
    Ok(look)
}

/// Moves checkpoints on, in the order of their pools. One that another replica has moved meanwhile stays where that one put it.
pub async fn move_on(conn: &mut PgConnection, moves: &[Move]) -> Result<(), Error> {
    for one in moves {
        sqlx::query!(
            r#"
            UPDATE pool_audits
            SET up_to = $3, held = held + $4, sold = sold + $5, blocked = blocked + $6
            WHERE pool_id = $1 AND up_to = $2
            "#,
            one.pool_id,
            one.from,
            one.to,
            one.held,
            one.sold,
            one.blocked,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Moves the checkpoint of an overlong pool on by so many rows as one look adds up, and those that
/// were stamped with the last one of them. Answers whether it moved.
pub async fn step_on(
    conn: &mut PgConnection,
    pool_id: PoolId,
    settled_at: OffsetDateTime,
) -> Result<bool, Error> {
    let moved = sqlx::query!(
        r#"
        WITH here AS MATERIALIZED (
            SELECT up_to FROM pool_audits WHERE pool_id = $1 AND up_to < $2
        ), stop AS MATERIALIZED (
            SELECT LEAST($2, (
                SELECT at FROM inventory_ledger
                WHERE pool_id = $1 AND at > (SELECT up_to FROM here)
                ORDER BY at OFFSET $3 LIMIT 1)) AS at
        ), passed AS (
            SELECT COALESCE(SUM(held_delta), 0)::bigint AS held,
                   COALESCE(SUM(sold_delta), 0)::bigint AS sold,
                   COALESCE(SUM(blocked_delta), 0)::bigint AS blocked
            FROM inventory_ledger
            WHERE pool_id = $1 AND at > (SELECT up_to FROM here) AND at <= (SELECT at FROM stop)
        )
        UPDATE pool_audits a
        SET up_to = stop.at, held = a.held + passed.held, sold = a.sold + passed.sold,
            blocked = a.blocked + passed.blocked
        FROM here, stop, passed
        WHERE a.pool_id = $1 AND a.up_to = here.up_to
        "#,
        pool_id.uuid(),
        settled_at,
        NEW_ROWS_MAX,
    );
    Ok(moved.execute(conn).await?.rows_affected() == 1)
}

/// A pool whose whole ledger is to be added up.
#[derive(Debug)]
pub struct Due {
    pub pool_id: PoolId,
    /// It has no checkpoint yet, so no look sees it.
    pub is_new: bool,
}

/// New pools first, then those that were recounted longest ago, if that is a while.
pub async fn due(conn: &mut PgConnection, every_secs: f64) -> Result<Vec<Due>, Error> {
    let due = sqlx::query_as!(
        Due,
        r#"
        SELECT p.id AS pool_id, a.pool_id IS NULL AS "is_new!"
        FROM pools p LEFT JOIN pool_audits a ON a.pool_id = p.id
        WHERE p.halted_at IS NULL
          AND (a.pool_id IS NULL OR a.audited_at <= clock_timestamp() - make_interval(secs => $1))
        ORDER BY a.audited_at NULLS FIRST LIMIT $2
        "#,
        every_secs,
        DUE_MAX,
    );
    Ok(due.fetch_all(conn).await?)
}

/// Adds up the whole ledger of a pool. Where its counters differ, the pool is halted; a difference
/// within one snapshot cannot be a sale under way, and an admin who has put the pool right meanwhile
/// has changed its generation. Draws the checkpoint anew, if there is a settled time. Answers whether
/// counters and ledger agree; `DbError::Timeout` where the ledger is too long to tell.
///
/// Not durable at once: what a crash forgets is found again.
pub async fn recount(
    conn: &mut PgConnection,
    pool_id: PoolId,
    settled_at: Option<OffsetDateTime>,
) -> Result<bool, Error> {
    sqlx::query!(
        r#"
        SELECT set_config('statement_timeout', '8s', true) AS timeout,
               set_config('synchronous_commit', 'off', true) AS durability
        "#,
    )
    .fetch_one(&mut *conn)
    .await?;
    let agrees = sqlx::query_scalar!(
        r#"
        WITH truth AS MATERIALIZED (
            SELECT p.held, p.sold, p.blocked, p.generation,
                   l.held AS all_held, l.sold AS all_sold, l.blocked AS all_blocked,
                   l.settled_held, l.settled_sold, l.settled_blocked,
                   (p.held, p.sold, p.blocked) = (l.held, l.sold, l.blocked) AS agrees,
                   p.halted_at IS NULL AS is_selling
            FROM pools p
            CROSS JOIN (
                SELECT COALESCE(SUM(held_delta), 0)::bigint AS held,
                       COALESCE(SUM(sold_delta), 0)::bigint AS sold,
                       COALESCE(SUM(blocked_delta), 0)::bigint AS blocked,
                       COALESCE(SUM(held_delta) FILTER (WHERE at <= $2), 0)::bigint AS settled_held,
                       COALESCE(SUM(sold_delta) FILTER (WHERE at <= $2), 0)::bigint AS settled_sold,
                       COALESCE(SUM(blocked_delta) FILTER (WHERE at <= $2), 0)::bigint AS settled_blocked
                FROM inventory_ledger
                WHERE pool_id = $1
            ) l
            WHERE p.id = $1
        ), halted AS (
            UPDATE pools p
            SET halted_at = clock_timestamp(),
                halt_reason = format('held %s, sold %s, blocked %s; the ledger says %s, %s and %s',
                                     t.held, t.sold, t.blocked, t.all_held, t.all_sold, t.all_blocked)
            FROM truth t
            WHERE p.id = $1 AND p.halted_at IS NULL AND p.generation = t.generation
              AND t.is_selling AND NOT t.agrees
        ), noted AS (
            INSERT INTO pool_audits (pool_id, up_to, held, sold, blocked)
            SELECT $1, $2, settled_held, settled_sold, settled_blocked
            FROM truth WHERE $2::timestamptz IS NOT NULL
            ON CONFLICT (pool_id) DO UPDATE
            SET up_to = EXCLUDED.up_to, held = EXCLUDED.held, sold = EXCLUDED.sold,
                blocked = EXCLUDED.blocked, audited_at = EXCLUDED.audited_at
        )
        SELECT agrees AS "agrees!" FROM truth
        "#,
        pool_id.uuid(),
        settled_at,
    )
    .fetch_optional(conn)
    .await;
    match agrees {
        Ok(agrees) => Ok(agrees.unwrap_or(true)),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(CANCELLED) => {
            Err(DbError::Timeout.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// What a statement ends with that ran into its time limit.
const CANCELLED: &str = "57014";
