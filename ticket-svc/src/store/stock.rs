//! The statements that change a counter of stock besides those that make holds (`hold::store`). Each
//! locks its pools in ascending order and writes the ledger in the same breath, so counters and ledger
//! cannot differ.

use base::{HoldId, OrderId, PoolId, RefundId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::holds::HoldLine;
use crate::error::Error;

/// Units that one line takes from one pool.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub line: i32,
    pub pool_id: PoolId,
    pub quantity: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    All,
    /// Nothing was taken, for these pools have too little or are halted.
    Nothing(Vec<Shortage>),
}

/// A pool with too little, or one that is halted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    pub pool_id: PoolId,
    /// There would be enough if every hold came back.
    pub may_return: bool,
    /// The auditor has halted it: nothing of it is sold, whatever its counters say.
    pub halted: bool,
}

/// What each line takes from each pool that its type draws from.
pub async fn needs(conn: &mut PgConnection, lines: &[HoldLine]) -> Result<Vec<Need>, Error> {
    let types: Vec<Uuid> = lines
        .iter()
        .map(|line| line.ticket_type_id.uuid())
        .collect();
    let draws = sqlx::query!(
        r#"
        SELECT ticket_type_id AS "ticket_type_id!", pool_id AS "pool_id!"
        FROM ticket_type_draws WHERE ticket_type_id = ANY($1)
        "#,
        &types,
    )
    .fetch_all(conn)
    .await?;
    let mut needs = Vec::with_capacity(draws.len());
    for line in lines {
        let pools = draws
            .iter()
            .filter(|draw| draw.ticket_type_id == line.ticket_type_id.uuid());
        needs.extend(pools.map(|draw| Need {
            line: line.line,
            pool_id: draw.pool_id.into(),
            quantity: i64::from(line.quantity),
        }));
    }
    Ok(needs)
}

/// Sells free stock to an order whose hold is gone: every need or none, decided on rows that it has
/// locked. (Stock for holds is taken by the batches of `hold::store`.)
///
/// Guard and counters are those of the locked rows, which are the newest. An UPDATE that reads its own
/// row tries conditions and constraints first on the version from before the wait for the lock, and
/// would refuse what came back meanwhile.
pub async fn take(
    conn: &mut PgConnection,
    order_id: OrderId,
    needs: &[Need],
) -> Result<Taken, Error> {
    let lines: Vec<i32> = needs.iter().map(|need| need.line).collect();
    let pools: Vec<Uuid> = needs.iter().map(|need| need.pool_id.uuid()).collect();
    let quantities: Vec<i64> = needs.iter().map(|need| need.quantity).collect();
    let rows = sqlx::query!(
        r#"
        WITH need AS (
            SELECT line, pool_id, quantity
            FROM UNNEST($2::int[], $3::uuid[], $4::bigint[]) AS n (line, pool_id, quantity)
        ), wanted AS (
            SELECT pool_id, SUM(quantity)::bigint AS quantity FROM need GROUP BY pool_id
        ), locked AS MATERIALIZED (
            SELECT p.id, w.quantity, p.capacity, p.held, p.sold, p.blocked,
                   p.capacity IS NULL OR p.held + p.sold + p.blocked + w.quantity <= p.capacity AS fits,
                   p.halted_at IS NOT NULL AS halted,
                   p.capacity IS NULL OR p.sold + p.blocked + w.quantity <= p.capacity AS may_return
            FROM pools p JOIN wanted w ON w.pool_id = p.id
            ORDER BY p.id FOR UPDATE OF p
        ), taken AS (
            UPDATE pools p
            SET capacity = l.capacity, blocked = l.blocked,
                held = l.held, sold = l.sold + l.quantity
            FROM locked l
            WHERE p.id = l.id
              AND NOT EXISTS (SELECT 1 FROM locked WHERE halted OR NOT fits)
            RETURNING p.id
        ), noted AS (
            INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta, sold_delta)
            SELECT $1, n.pool_id, n.line, 'resell', 0, n.quantity
            FROM need n JOIN taken t ON t.id = n.pool_id
        )
        SELECT l.id, l.fits AS "fits!", l.may_return AS "may_return!", l.halted AS "halted!",
               t.id IS NOT NULL AS "taken!"
        FROM locked l LEFT JOIN taken t ON t.id = l.id
        ORDER BY l.id
        "#,
        order_id.uuid(),
        &lines,
        &pools,
        &quantities,
    )
    .fetch_all(conn)
    .await?;
    if rows.iter().all(|row| row.taken) {
        return Ok(Taken::All);
    }
    let shortages: Vec<Shortage> = rows
        .iter()
        .filter(|row| row.halted || !row.fits)
        .map(|row| Shortage {
            pool_id: row.id.into(),
            may_return: row.may_return,
            halted: row.halted,
        })
        .collect();
    if shortages.is_empty() || rows.iter().any(|row| row.taken) {
        return Err(Error::Fault("stock was taken in part"));
    }
    Ok(Taken::Nothing(shortages))
}

/// What becomes of held stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    Freed,
    Sold,
}

/// Frees or sells all that these holds have set aside. The caller has locked the holds and changed
/// their status, so a repeat finds no hold to settle; the ledger's keys stand behind that. The pools
/// are locked last, when the ledger is written: guests wait for them.
pub async fn settle(
    conn: &mut PgConnection,
    holds: &[HoldId],
    settle: Settle,
) -> Result<(), Error> {
    let holds: Vec<Uuid> = holds.iter().map(|hold| hold.uuid()).collect();
    sqlx::query!(
        r#"
        WITH noted AS (
            INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta, sold_delta)
            SELECT subject_id, pool_id, line, CASE WHEN $2 THEN 'sell' ELSE 'free' END,
                   -held_delta, CASE WHEN $2 THEN held_delta ELSE 0 END
            FROM inventory_ledger
            WHERE subject_id = ANY($1) AND transition = 'hold'
            RETURNING pool_id, held_delta, sold_delta
        ), change AS (
            SELECT pool_id, SUM(held_delta)::bigint AS held, SUM(sold_delta)::bigint AS sold
            FROM noted GROUP BY pool_id
        ), locked AS MATERIALIZED (
            SELECT p.id, p.capacity, p.blocked, p.held + c.held AS held, p.sold + c.sold AS sold
            FROM pools p JOIN change c ON c.pool_id = p.id
            ORDER BY p.id FOR UPDATE OF p
        )
        UPDATE pools p
        SET capacity = l.capacity, blocked = l.blocked, held = l.held, sold = l.sold
        FROM locked l
        WHERE p.id = l.id
        "#,
        &holds,
        settle == Settle::Sold,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A hold whose stock cannot be given back: the counter of a pool is lower than what is held of it, or
/// the ledger says that it was settled. Neither happens but by tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub hold: Uuid,
    pub pool_id: PoolId,
}

/// Those among these locked holds that `settle` would fail of, with each pool that is why. What a
/// counter suffices for is counted in the order of the holds.
pub async fn stuck(conn: &mut PgConnection, holds: &[Uuid]) -> Result<Vec<Stuck>, Error> {
    let stuck = sqlx::query_as!(
        Stuck,
        r#"
        WITH entry AS (
            SELECT subject_id, pool_id, line,
                   SUM(held_delta) FILTER (WHERE transition = 'hold') AS units,
                   BOOL_OR(transition <> 'hold') AS is_settled
            FROM inventory_ledger
            WHERE subject_id = ANY($1) AND transition IN ('hold', 'free', 'sell')
            GROUP BY subject_id, pool_id, line
        ), running AS (
            SELECT e.subject_id, e.pool_id, e.is_settled, p.held,
                   SUM(e.units) OVER (PARTITION BY e.pool_id ORDER BY e.subject_id, e.line) AS units
            FROM entry e JOIN pools p ON p.id = e.pool_id
            WHERE e.units IS NOT NULL
        )
        SELECT DISTINCT subject_id AS "hold!", pool_id AS "pool_id!"
        FROM running WHERE is_settled OR units > held
        "#,
        holds,
    );
    Ok(stuck.fetch_all(conn).await?)
}

/// Frees what an order was sold, so many units of each line: in every pool that the sale took them
/// from. The caller has locked the order and made the tickets void.
pub async fn give_back(
    conn: &mut PgConnection,
    refund_id: RefundId,
    order_id: OrderId,
    lines: &[(i32, i64)],
) -> Result<(), Error> {
    let (lines, quantities): (Vec<i32>, Vec<i64>) = lines.iter().copied().unzip();
    let given_back = sqlx::query_scalar!(
        r#"
        WITH entry AS (
            SELECT l.pool_id, l.line, n.quantity
            FROM UNNEST($3::int[], $4::bigint[]) AS n (line, quantity)
            JOIN inventory_ledger l ON l.line = n.line AND l.transition IN ('sell', 'resell')
            WHERE l.subject_id = $2
               OR l.subject_id = (SELECT id FROM holds WHERE order_id = $2)
        ), locked AS MATERIALIZED (
            SELECT id FROM pools
            WHERE id IN (SELECT pool_id FROM entry)
            ORDER BY id FOR UPDATE
        ), noted AS (
            INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta, sold_delta)
            SELECT $1, e.pool_id, e.line, 'return', 0, -e.quantity
            FROM entry e JOIN locked l ON l.id = e.pool_id
            RETURNING pool_id, line, sold_delta
        ), change AS (
            SELECT pool_id, SUM(sold_delta)::bigint AS sold FROM noted GROUP BY pool_id
        ), freed AS (
            UPDATE pools p SET sold = p.sold + c.sold FROM change c WHERE p.id = c.pool_id
        )
        SELECT COUNT(DISTINCT line) AS "lines!" FROM noted
        "#,
        refund_id.uuid(),
        order_id.uuid(),
        &lines,
        &quantities,
    )
    .fetch_one(conn)
    .await?;
    if given_back == lines.len() as i64 {
        Ok(())
    } else {
        Err(Error::Fault(
            "tickets were sold that the ledger does not know",
        ))
    }
}
