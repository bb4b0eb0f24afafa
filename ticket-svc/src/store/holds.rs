use std::collections::{HashMap, HashSet};

use base::{EventId, HoldId, Money, OrderId, PoolId, TicketTypeId};
use db::Db;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    guests, known,
    stock::{self, Settle, Stuck},
};
use crate::{domain::hold_state::HoldState, error::Error};

/// A hold with its lines.
#[derive(Clone, Debug)]
pub struct Hold {
    pub id: HoldId,
    pub event_id: EventId,
    /// As stored; readers want `seen`.
    pub state: HoldState,
    pub expires_at: OffsetDateTime,
    pub order_id: Option<OrderId>,
    pub pay_by: Option<OffsetDateTime>,
    pub paying_until: Option<OffsetDateTime>,
    /// What the order pays with, chosen when it was bound.
    pub provider_kind: Option<String>,
    pub body_hash: Vec<u8>,
    pub secret_key_id: String,
    pub secret_generation: u32,
    pub total: Money,
    pub lines: Vec<HoldLine>,
    /// The database's clock when it was read.
    pub now: OffsetDateTime,
}

#[derive(Clone, Debug)]
pub struct HoldLine {
    pub line: i32,
    pub ticket_type_id: TicketTypeId,
    pub category: String,
    pub quantity: u32,
    /// With tax and fee.
    pub unit_price_minor: i64,
    pub unit_fee_minor: i64,
    pub tax_rate_ppm: u32,
}

impl HoldLine {
    /// Far from the end of `i64`: price, quantity and lines have their limits.
    pub fn total_minor(&self) -> i64 {
        self.unit_price_minor * i64::from(self.quantity)
    }
}

impl Hold {
    /// The state that a reader is told.
    pub fn seen(&self) -> HoldState {
        let deadline = match self.state {
            HoldState::Paying => self.paying_until.unwrap_or(self.expires_at),
            _ => self.expires_at,
        };
        self.state.seen(deadline, self.now)
    }
}

pub async fn find(conn: &mut PgConnection, id: HoldId) -> Result<Option<Hold>, Error> {
    Ok(find_all(conn, &[id]).await?.pop())
}

/// In any order; absent ones are left out.
pub async fn find_all(conn: &mut PgConnection, ids: &[HoldId]) -> Result<Vec<Hold>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT id, event_id, status, expires_at, order_id, pay_by, paying_until,
               provider_kind, body_hash, secret_key_id, secret_generation, currency, total_minor,
               clock_timestamp() AS "now!"
        FROM holds WHERE id = ANY($1)
        "#,
        &ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines = lines(conn, &ids).await?;
    let holds = rows.into_iter().map(|row| {
        let currency = known(row.currency.parse().ok());
        Hold {
            id: row.id.into(),
            event_id: row.event_id.into(),
            state: known(HoldState::from_word(&row.status)),
            expires_at: row.expires_at,
            order_id: row.order_id.map(OrderId::from),
            pay_by: row.pay_by,
            paying_until: row.paying_until,
            provider_kind: row.provider_kind,
            body_hash: row.body_hash,
            secret_key_id: row.secret_key_id,
            secret_generation: row.secret_generation.cast_unsigned(),
            total: Money::new(row.total_minor, currency),
            lines: lines.remove(&row.id).unwrap_or_default(),
            now: row.now,
        }
    });
    Ok(holds.collect())
}

/// Like `find`, with the hold locked to the end of the transaction.
pub async fn lock(conn: &mut PgConnection, id: HoldId) -> Result<Option<Hold>, Error> {
    sqlx::query!("SELECT id FROM holds WHERE id = $1 FOR UPDATE", id.uuid())
        .fetch_optional(&mut *conn)
        .await?;
    // A statement of its own: it sees what was committed while this one waited for the lock.
    find(conn, id).await
}

/// The hold that an order is bound to, locked.
pub async fn lock_of_order(
    conn: &mut PgConnection,
    order_id: OrderId,
) -> Result<Option<Hold>, Error> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM holds WHERE order_id = $1 FOR UPDATE",
        order_id.uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match id {
        Some(id) => find(conn, id.into()).await,
        None => Ok(None),
    }
}

/// By hold, each in the order of its lines.
async fn lines(
    conn: &mut PgConnection,
    holds: &[Uuid],
) -> Result<HashMap<Uuid, Vec<HoldLine>>, Error> {
    let rows = sqlx::query!(
        r#"
        SELECT hold_id, line, ticket_type_id, category, quantity, unit_price_minor, unit_fee_minor,
               tax_rate_ppm
        FROM hold_lines WHERE hold_id = ANY($1) ORDER BY hold_id, line
        "#,
        holds,
    )
    .fetch_all(conn)
    .await?;
    let mut lines: HashMap<Uuid, Vec<HoldLine>> = HashMap::with_capacity(holds.len());
    for row in rows {
        lines.entry(row.hold_id).or_default().push(HoldLine {
            line: row.line,
            ticket_type_id: row.ticket_type_id.into(),
            category: row.category,
            quantity: row.quantity.cast_unsigned(),
            unit_price_minor: row.unit_price_minor,
            unit_fee_minor: row.unit_fee_minor,
            tax_rate_ppm: row.tax_rate_ppm.cast_unsigned(),
        });
    }
    Ok(lines)
}

/// Ends a locked hold that still has its stock, and gives the stock back.
pub async fn end(conn: &mut PgConnection, hold: &Hold, state: HoldState) -> Result<(), Error> {
    let ended = sqlx::query!(
        "UPDATE holds SET status = $2, ended_at = clock_timestamp() WHERE id = $1 AND status = $3",
        hold.id.uuid(),
        state.word(),
        hold.state.word(),
    )
    .execute(&mut *conn)
    .await?;
    if ended.rows_affected() != 1 {
        return Err(Error::Fault("a locked hold changed its status"));
    }
    guests::give_back(conn, &[hold.id.uuid()]).await?;
    stock::settle(conn, &[hold.id], Settle::Freed).await
}

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

/// Dead holds that are ended while guests wait.
pub const RECLAIM_BATCH: usize = 500;
/// After so many batches of which none could end, guests wait no longer.
const STUCK_BATCHES: usize = 10;

/// Ends dead holds that have stock of these pools, about a batch of them; with less than a batch there
/// is no other that can end. Like `reclaim` it waits for holds that somebody else is about to end.
pub async fn reclaim_of_pools(db: &Db, pools: Vec<PoolId>) -> Result<usize, Error> {
    let pools: Vec<Uuid> = pools.into_iter().map(PoolId::uuid).collect();
    let mut after = Uuid::nil();
    for _ in 0..STUCK_BATCHES {
        let batch = db.run((pools.clone(), after), |conn, (pools, after)| {
            Box::pin(reclaim_pools_batch(conn, pools, *after))
        });
        let batch = batch.await?;
        if batch.found < RECLAIM_BATCH {
            return Ok(batch.ended);
        }
        if batch.ended > 0 {
            return Ok(RECLAIM_BATCH);
        }
        after = batch.last;
    }
    Ok(0)
}

async fn reclaim_pools_batch(
    conn: &mut PgConnection,
    pools: &[Uuid],
    after: Uuid,
) -> Result<Batch, Error> {
    let dead = sqlx::query_scalar!(
        r#"
        SELECT h.id FROM holds h
        WHERE ((h.status = 'active' AND h.expires_at <= (SELECT clock_timestamp()))
            OR (h.status = 'paying' AND h.paying_until <= (SELECT clock_timestamp())))
          AND EXISTS (
              SELECT 1 FROM inventory_ledger l
              WHERE l.subject_id = h.id AND l.pool_id = ANY($1) AND l.transition = 'hold')
          AND h.id > $3
        ORDER BY h.id LIMIT $2 FOR UPDATE OF h
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
        SELECT id FROM holds
        WHERE event_id = $1
          AND ((status = 'active' AND expires_at <= (SELECT clock_timestamp()))
            OR (status = 'paying' AND paying_until <= (SELECT clock_timestamp())))
          AND id > $3
        ORDER BY id LIMIT $2 FOR UPDATE
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
        SELECT id FROM holds WHERE event_id = $1 AND status = 'active' AND id > $3
        ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
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
