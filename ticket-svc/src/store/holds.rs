use std::collections::HashMap;

use base::{EventId, HoldId, Money, OrderId, TicketTypeId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    guests, known,
    stock::{self, Settle},
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
