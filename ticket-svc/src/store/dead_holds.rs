//! Holds that end many at a time.

use std::collections::HashSet;

use base::{EventId, HoldId, PoolId};
use db::Db;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    guests,
    stock::{self, Settle, Stuck},
};
use crate::{domain::hold_state::HoldState, error::Error};

/// Of one transaction: few enough that it ends in a moment, enough that a wave of dead holds is
/// through with a few of them.
pub const DEAD_BATCH: usize = 5_000;

/// What became of a batch of holds.
#[derive(Debug, Default)]
pub struct Batch {
    pub found: usize,
    pub ended: usize,
    /// They stay as they are, so that the others can end.
    pub stuck: Vec<Stuck>,
    /// Where the next batch begins, if the holds are looked for by id.
    last: Uuid,
}

/// Ends every dead hold of one event that can end, and frees its stock. Unlike the sweeper it waits for
/// holds that somebody else is about to end, so that afterwards no such hold has stock.
pub async fn reclaim(db: &Db, event_id: EventId) -> Result<(), Error> {
    let mut after = Uuid::nil();
    loop {
        let batch = db.run((event_id, after), |conn, (event_id, after)| {
            Box::pin(reclaim_batch(conn, *event_id, *after))
        });
        let batch = batch.await?;
        if batch.found < DEAD_BATCH {
            return Ok(());
        }
        after = batch.last;
    }
}

/// To the end of the transaction no whole table is read. Of a few holds among millions the planner believes that one
/// which is dead is soon met anywhere, and there may be none.
pub async fn by_index_alone(conn: &mut PgConnection) -> Result<(), Error> {
    let setting = sqlx::raw_sql("SET LOCAL enable_seqscan = off");
    setting.execute(conn).await?;
    Ok(())
}

/// Dead holds that are ended while guests wait.
const RECLAIM_BATCH: usize = 500;
/// After so many batches of which none could end, guests wait no longer.
const STUCK_BATCHES: usize = 10;

/// What looking for dead holds with the stock of some pools came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reclaimed {
    /// Some have ended; there may be more.
    Some,
    /// None has, but somebody else is about to end one, or to let it go.
    ByOthers,
    /// There is none that can end, or too many that cannot stand before it.
    None,
}

/// Ends dead holds that have stock of these pools, about a batch of them. It waits for nobody: while one hold is
/// another's, a third may come free. The session must not read whole tables (`by_index_alone`).
pub async fn reclaim_of_pools(db: &Db, pools: Vec<PoolId>) -> Result<Reclaimed, Error> {
    let pools: Vec<Uuid> = pools.into_iter().map(PoolId::uuid).collect();
    // Hardly ever is there one when all is sold.
    if !more_dead_than(db, &pools, 0).await? {
        return Ok(Reclaimed::None);
    }
    let batch = db.run(pools.clone(), |conn, pools| {
        Box::pin(reclaim_unlocked_batch(conn, pools))
    });
    if batch.await?.ended > 0 {
        return Ok(Reclaimed::Some);
    }
    let (mut after, mut stuck) = (Uuid::nil(), 0);
    for _ in 0..STUCK_BATCHES {
        let batch = db.run((pools.clone(), after), |conn, (pools, after)| {
            Box::pin(reclaim_pools_batch(conn, pools, *after))
        });
        let batch = batch.await?;
        if batch.ended > 0 {
            return Ok(Reclaimed::Some);
        }
        stuck += batch.found;
        if batch.found < RECLAIM_BATCH {
            return Ok(if more_dead_than(db, &pools, stuck).await? {
                Reclaimed::ByOthers
            } else {
                Reclaimed::None
            });
        }
        after = batch.last;
    }
    Ok(Reclaimed::None)
}

/// Whether more dead holds than these have stock of these pools. One by one through the index of the deadlines, for a
/// planner who has not heard of a wave yet would add up the whole ledger of the pools.
async fn more_dead_than(db: &Db, pools: &[Uuid], holds: usize) -> Result<bool, Error> {
    let more = db.read((pools.to_vec(), holds as i64), |conn, (pools, holds)| {
        Box::pin(async move {
            let more = sqlx::query_scalar!(
                r#"
                SELECT EXISTS (
                    SELECT FROM holds h CROSS JOIN LATERAL (
                        SELECT FROM inventory_ledger l
                        WHERE l.subject_id = h.id AND l.pool_id = ANY($1) AND l.transition = 'hold'
                        LIMIT 1) AS stock
                    WHERE (h.status = 'active' AND h.expires_at <= (SELECT clock_timestamp()))
                       OR (h.status = 'paying' AND h.paying_until <= (SELECT clock_timestamp()))
                    OFFSET $2 LIMIT 1) AS "more!"
                "#,
                pools,
                holds,
            );
            Ok::<_, Error>(more.fetch_one(conn).await?)
        })
    });
    more.await
}

/// Unlike `reclaim_pools_batch` in no order, which would be that of everything that is dead; for the same reason each
/// of the two deadlines has an index of its own, and its own half of the statement.
async fn reclaim_unlocked_batch(conn: &mut PgConnection, pools: &[Uuid]) -> Result<Batch, Error> {
    let dead = sqlx::query_scalar!(
        r#"
        WITH active AS MATERIALIZED (
            SELECT h.id FROM holds h CROSS JOIN LATERAL (
                SELECT FROM inventory_ledger l
                WHERE l.subject_id = h.id AND l.pool_id = ANY($1) AND l.transition = 'hold'
                LIMIT 1) AS stock
            WHERE h.status = 'active' AND h.expires_at <= (SELECT clock_timestamp())
            LIMIT $2 FOR UPDATE OF h SKIP LOCKED
        ), paying AS MATERIALIZED (
            SELECT h.id FROM holds h CROSS JOIN LATERAL (
                SELECT FROM inventory_ledger l
                WHERE l.subject_id = h.id AND l.pool_id = ANY($1) AND l.transition = 'hold'
                LIMIT 1) AS stock
            WHERE h.status = 'paying' AND h.paying_until <= (SELECT clock_timestamp())
            LIMIT $2 FOR UPDATE OF h SKIP LOCKED
        )
        SELECT id AS "id!" FROM active UNION ALL SELECT id FROM paying
        "#,
        pools,
        RECLAIM_BATCH as i64,
    )
    .fetch_all(&mut *conn)
    .await?;
    expire(conn, &dead).await
}

/// In order of their ids, yet found by their deadlines: a limit in the order of the ids would let the planner walk over
/// every hold there ever was until it has met enough dead ones, and today's stand last. So it is for the two below.
async fn reclaim_pools_batch(
    conn: &mut PgConnection,
    pools: &[Uuid],
    after: Uuid,
) -> Result<Batch, Error> {
    let dead = sqlx::query_scalar!(
        r#"
        SELECT h.id FROM holds h
        WHERE h.id = ANY(ARRAY(
              SELECT id FROM holds
              WHERE (status = 'active' AND expires_at <= (SELECT clock_timestamp()))
                 OR (status = 'paying' AND paying_until <= (SELECT clock_timestamp()))))
          AND ((h.status = 'active' AND h.expires_at <= (SELECT clock_timestamp()))
            OR (h.status = 'paying' AND h.paying_until <= (SELECT clock_timestamp())))
          AND EXISTS (
              SELECT 1 FROM inventory_ledger l
              WHERE l.subject_id = h.id AND l.pool_id = ANY($1) AND l.transition = 'hold')
          AND h.id > $3
        ORDER BY h.id LIMIT $2 FOR UPDATE OF h SKIP LOCKED
        "#,
        pools,
        RECLAIM_BATCH as i64,
        after,
    )
    .fetch_all(&mut *conn)
    .await?;
    expire(conn, &dead).await
}

async fn reclaim_batch(
    conn: &mut PgConnection,
    event_id: EventId,
    after: Uuid,
) -> Result<Batch, Error> {
    let dead = sqlx::query_scalar!(
        r#"
        SELECT h.id FROM holds h
        WHERE h.id = ANY(ARRAY(
              SELECT id FROM holds
              WHERE event_id = $1
                AND ((status = 'active' AND expires_at <= (SELECT clock_timestamp()))
                  OR (status = 'paying' AND paying_until <= (SELECT clock_timestamp())))))
          AND ((h.status = 'active' AND h.expires_at <= (SELECT clock_timestamp()))
            OR (h.status = 'paying' AND h.paying_until <= (SELECT clock_timestamp())))
          AND h.id > $3
        ORDER BY h.id LIMIT $2 FOR UPDATE OF h
        "#,
        event_id.uuid(),
        DEAD_BATCH as i64,
        after,
    )
    .fetch_all(&mut *conn)
    .await?;
    expire(conn, &dead).await
}

/// Batches of active holds that one call frees, so that it ends in time; what is left of them has
/// minutes to live.
const FREE_BATCHES: usize = 20;

/// Gives the stock of the active holds of a cancelled event back. Holds that somebody else is about
/// to end, or to bind, are left to them.
pub async fn free_active(db: &Db, event_id: EventId) -> Result<(), Error> {
    let mut after = Uuid::nil();
    for _ in 0..FREE_BATCHES {
        let batch = db.run((event_id, after), |conn, (event_id, after)| {
            Box::pin(free_batch(conn, *event_id, *after))
        });
        match batch.await? {
            batch if batch.found < DEAD_BATCH => break,
            batch => after = batch.last,
        }
    }
    Ok(())
}

async fn free_batch(
    conn: &mut PgConnection,
    event_id: EventId,
    after: Uuid,
) -> Result<Batch, Error> {
    let active = sqlx::query_scalar!(
        r#"
        SELECT h.id FROM holds h
        WHERE h.id = ANY(ARRAY(SELECT id FROM holds WHERE event_id = $1 AND status = 'active'))
          AND h.status = 'active' AND h.id > $3
        ORDER BY h.id LIMIT $2 FOR UPDATE OF h SKIP LOCKED
        "#,
        event_id.uuid(),
        DEAD_BATCH as i64,
        after,
    )
    .fetch_all(&mut *conn)
    .await?;
    end_all(conn, &active, HoldState::Released).await
}

/// Marks locked holds that are past their deadline, and frees their stock.
pub async fn expire(conn: &mut PgConnection, dead: &[Uuid]) -> Result<Batch, Error> {
    end_all(conn, dead, HoldState::Expired).await
}

/// The same, at two thirds of the cost: fails as a whole where one of them cannot end.
pub async fn expire_all_or_none(conn: &mut PgConnection, dead: &[Uuid]) -> Result<Batch, Error> {
    end_but(conn, dead, HoldState::Expired, Vec::new()).await
}

/// Ends what can end: one pool that was tampered with would fail the batch for all.
async fn end_all(
    conn: &mut PgConnection,
    found: &[Uuid],
    state: HoldState,
) -> Result<Batch, Error> {
    let stuck = match found {
        [] => Vec::new(),
        found => stock::stuck(conn, found).await?,
    };
    end_but(conn, found, state, stuck).await
}

async fn end_but(
    conn: &mut PgConnection,
    found: &[Uuid],
    state: HoldState,
    stuck: Vec<Stuck>,
) -> Result<Batch, Error> {
    let Some(last) = found.last() else {
        return Ok(Batch::default());
    };
    let stay: HashSet<Uuid> = stuck.iter().map(|one| one.hold).collect();
    let ids = found.iter().filter(|id| !stay.contains(id));
    let ids: Vec<Uuid> = ids.copied().collect();
    let ended = sqlx::query!(
        r#"
        UPDATE holds SET status = $2, ended_at = clock_timestamp() WHERE id = ANY($1)
        RETURNING id, guest_key IS NOT NULL AS "counted!"
        "#,
        &ids,
        state.word(),
    )
    .fetch_all(&mut *conn)
    .await?;
    // Most of a wave were never bound to an order.
    let counted = ended.iter().filter(|hold| hold.counted);
    let counted: Vec<Uuid> = counted.map(|hold| hold.id).collect();
    if !counted.is_empty() {
        guests::give_back(conn, &counted).await?;
    }
    let batch = Batch {
        found: found.len(),
        ended: ids.len(),
        stuck,
        last: *last,
    };
    let ids: Vec<HoldId> = ids.into_iter().map(HoldId::from).collect();
    stock::settle(conn, &ids, Settle::Freed).await?;
    Ok(batch)
}
