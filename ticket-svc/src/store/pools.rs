//! Shared pools, and what admins change of any pool: its capacity, the promoter's allotment, and
//! which types draw from it.

use base::{EventId, PoolId};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::catalog::TicketType;
use crate::error::Error;

/// A shared pool. What serializes goes into the audit log.
#[derive(Clone, Debug, Serialize)]
pub struct Pool {
    pub id: Uuid,
    pub event_id: Uuid,
    pub name: String,
    /// None means unlimited.
    pub capacity: Option<i64>,
    #[serde(skip)]
    pub held: i64,
    #[serde(skip)]
    pub sold: i64,
    pub blocked: i64,
    pub ticket_type_ids: Vec<Uuid>,
    pub version: i64,
}

/// The shared pools of an event by name. The own pools of its types are told with the types.
pub async fn shared(conn: &mut PgConnection, event: EventId) -> Result<Vec<Pool>, Error> {
    let pools = sqlx::query_as!(
        Pool,
        r#"
        SELECT p.id, p.event_id, p.name, p.capacity, p.held, p.sold, p.blocked,
               ARRAY (SELECT s.ticket_type_id FROM ticket_type_pools s WHERE s.pool_id = p.id
                      ORDER BY s.ticket_type_id) AS "ticket_type_ids!",
               p.version
        FROM pools p
        WHERE p.event_id = $1 AND NOT EXISTS (SELECT 1 FROM ticket_types t WHERE t.pool_id = p.id)
        ORDER BY p.name, p.id
        "#,
        event.uuid(),
    );
    Ok(pools.fetch_all(conn).await?)
}

/// One of those.
pub async fn find(
    conn: &mut PgConnection,
    event: EventId,
    id: PoolId,
) -> Result<Option<Pool>, Error> {
    let pools = shared(conn, event).await?;
    Ok(pools.into_iter().find(|pool| pool.id == id.uuid()))
}

/// What an admin sets of a pool; None leaves it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allotment {
    /// `Some(None)` means unlimited.
    pub capacity: Option<Option<i64>>,
    /// Units that are not sold.
    pub blocked: Option<i64>,
}

/// Changes a pool. Its constraint refuses a capacity below what is held, sold and blocked. `subject`
/// is the admin's call.
pub async fn allot(
    conn: &mut PgConnection,
    subject: Uuid,
    id: PoolId,
    to: Allotment,
) -> Result<(), Error> {
    // A statement of its own: the one that changes the row must see what is held by now.
    let pool = sqlx::query!(
        "SELECT capacity, blocked FROM pools WHERE id = $1 FOR UPDATE",
        id.uuid()
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        WITH noted AS (
            INSERT INTO inventory_ledger (subject_id, pool_id, line, transition, held_delta,
                                          sold_delta, blocked_delta)
            SELECT $2, $1, 0, 'block', 0, 0, $4::bigint WHERE $4 <> 0
        )
        UPDATE pools SET capacity = $3, blocked = blocked + $4, version = version + 1
        WHERE id = $1
        "#,
        id.uuid(),
        subject,
        to.capacity.unwrap_or(pool.capacity),
        to.blocked.map_or(0, |blocked| blocked - pool.blocked),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether any unit of these pools was ever held or sold. The caller has locked them, so the answer
/// stays true.
pub async fn have_sales(conn: &mut PgConnection, pools: &[Uuid]) -> Result<bool, Error> {
    let sales = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT 1 FROM inventory_ledger WHERE pool_id = ANY($1) AND transition <> 'block'
        ) AS "sales!"
        "#,
        pools,
    );
    Ok(sales.fetch_one(conn).await?)
}

/// Locks every pool of an event to the end of the transaction, in the order in which all do.
pub async fn lock_all(conn: &mut PgConnection, event: EventId) -> Result<Vec<Uuid>, Error> {
    let pools = sqlx::query_scalar!(
        "SELECT id FROM pools WHERE event_id = $1 ORDER BY id FOR UPDATE",
        event.uuid()
    );
    Ok(pools.fetch_all(conn).await?)
}

/// Lets a ticket type draw from these shared pools of its event besides its own, instead of those
/// before. Only before its first hold: what a hold takes is given back to the pools that it took
/// it from, and counters of a pool say nothing of tickets that never drew from it.
pub async fn set_draws(
    conn: &mut PgConnection,
    of: &TicketType,
    pools: &[PoolId],
) -> Result<(), Error> {
    let mut wanted: Vec<Uuid> = pools.iter().map(|pool| pool.uuid()).collect();
    wanted.sort_unstable();
    if wanted == of.pool_ids {
        return Ok(());
    }
    let event = EventId::from(of.event_id);
    let shared = shared(conn, event).await?;
    if !wanted
        .iter()
        .all(|id| shared.iter().any(|pool| pool.id == *id))
    {
        return Err(Error::field(
            "pool_ids",
            "must be shared pools of the event",
        ));
    }
    // All of them, because the change itself asks for all (`draws_changed` in the schema).
    lock_all(conn, event).await?;
    if have_sales(conn, &[of.pool_id]).await? {
        return Err(Error::HasSales);
    }
    sqlx::query!(
        "DELETE FROM ticket_type_pools WHERE ticket_type_id = $1",
        of.id
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        r#"
        INSERT INTO ticket_type_pools (ticket_type_id, pool_id)
        SELECT $1, id FROM UNNEST($2::uuid[]) AS wanted (id)
        "#,
        of.id,
        &wanted,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes what was never held or sold of: types with their own pools. The caller has locked them.
pub async fn delete_types(conn: &mut PgConnection, types: &[TicketType]) -> Result<(), Error> {
    let ids: Vec<Uuid> = types.iter().map(|one| one.id).collect();
    let pools: Vec<Uuid> = types.iter().map(|one| one.pool_id).collect();
    sqlx::query!(
        "DELETE FROM ticket_type_pools WHERE ticket_type_id = ANY($1)",
        &ids
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM ticket_types WHERE id = ANY($1)", &ids)
        .execute(&mut *conn)
        .await?;
    delete(conn, &pools).await
}

/// Deletes pools that no type draws from, with the ledger of their allotments.
pub async fn delete(conn: &mut PgConnection, pools: &[Uuid]) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM inventory_ledger WHERE pool_id = ANY($1) AND transition = 'block'",
        pools
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM pools WHERE id = ANY($1)", pools)
        .execute(conn)
        .await?;
    Ok(())
}
