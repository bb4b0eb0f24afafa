use std::collections::HashMap;

use base::{EventId, HoldId, OrderId, RefundId, Sources, TicketId, TicketTypeId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    holds::Hold,
    keys::stored_number,
    known,
    stock::{self, Settle},
};
use crate::{
    error::Error,
    signers::{Format, KeyName},
};

const FIRST_GENERATION: i32 = 1;

/// What the steps of an order have left behind.
#[derive(Debug)]
pub struct Order {
    /// No payment of it may begin any more.
    pub released: bool,
    pub answer: Option<Answer>,
}

/// The one final answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Committed {
        event_id: EventId,
    },
    Refused {
        reason: String,
        event_id: Option<EventId>,
    },
}

impl Answer {
    pub fn event_id(&self) -> Option<EventId> {
        match self {
            Self::Committed { event_id } => Some(*event_id),
            Self::Refused { event_id, .. } => *event_id,
        }
    }
}

/// Locks the order to the end of the transaction; the first step that names it makes its row. So
/// the steps of one order follow one another, whichever order they arrive in.
pub async fn lock(conn: &mut PgConnection, id: OrderId) -> Result<Order, Error> {
    sqlx::query!(
        "INSERT INTO known_orders (order_id) VALUES ($1) ON CONFLICT (order_id) DO NOTHING",
        id.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    let released_at = sqlx::query_scalar!(
        "SELECT released_at FROM known_orders WHERE order_id = $1 FOR UPDATE",
        id.uuid(),
    )
    .fetch_one(&mut *conn)
    .await?;
    Ok(Order {
        released: released_at.is_some(),
        answer: answer(conn, id).await?,
    })
}

/// Locks these orders to the end of the transaction, as `lock` does one, but for those that somebody else works on: the
/// others do not wait for them. Which were locked.
pub async fn lock_idle(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    sqlx::query!(
        r#"
        INSERT INTO known_orders (order_id)
        SELECT id FROM UNNEST($1::uuid[]) AS o (id) ORDER BY id
        ON CONFLICT (order_id) DO NOTHING
        "#,
        ids,
    )
    .execute(&mut *conn)
    .await?;
    let locked = sqlx::query_scalar!(
        r#"
        SELECT order_id FROM known_orders WHERE order_id = ANY($1)
        ORDER BY order_id FOR UPDATE SKIP LOCKED
        "#,
        ids,
    );
    Ok(locked.fetch_all(conn).await?)
}

async fn answer(conn: &mut PgConnection, id: OrderId) -> Result<Option<Answer>, Error> {
    let row = sqlx::query!(
        "SELECT answer, refusal_reason, event_id FROM order_answers WHERE order_id = $1",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let event_id = row.event_id.map(EventId::from);
        match (row.refusal_reason, event_id) {
            (Some(reason), event_id) => Answer::Refused { reason, event_id },
            (None, event_id) => Answer::Committed {
                event_id: known(event_id),
            },
        }
    }))
}

#[derive(Clone, Debug)]
pub struct Ticket {
    pub id: TicketId,
    pub ticket_type_id: TicketTypeId,
    pub category: String,
    pub format: Format,
    pub generation: u32,
    /// Its line in the order.
    pub line: i32,
    /// The refund that made it void.
    pub voided_by: Option<RefundId>,
    /// Of whoever it was handed on to last; empty while it is the order's guest.
    pub holder_name: String,
}

impl Ticket {
    pub fn is_void(&self) -> bool {
        self.voided_by.is_some()
    }
}

/// The tickets of an order in the order of its lines; empty unless it is committed. A ticket whose key
/// was revoked has a code of the key that signs now.
pub async fn tickets(conn: &mut PgConnection, id: OrderId) -> Result<Vec<Ticket>, Error> {
    let mut tickets = tickets_of_all(conn, &[id.uuid()]).await?;
    Ok(tickets.remove(&id).unwrap_or_default())
}

/// The same of several orders; those without are left out.
async fn tickets_of_all(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> Result<HashMap<OrderId, Vec<Ticket>>, Error> {
    let rows = sqlx::query!(
        r#"
        SELECT t.id, t.order_id, t.event_id, t.ticket_type_id, t.category, t.code_key_id,
               t.generation, t.line, t.voided_by, t.type_number,
               COALESCE(signs.number, own.number) AS key_number,
               COALESCE(signs.seed_key_id, own.seed_key_id) AS seed_key_id,
               COALESCE(h.holder_name, '') AS "holder_name!"
        FROM tickets t
        LEFT JOIN event_keys own ON own.event_id = t.event_id AND own.number = t.key_number
        LEFT JOIN event_keys signs
            ON own.state = 'revoked' AND signs.event_id = t.event_id AND signs.state = 'active'
        LEFT JOIN ticket_transfers h ON h.ticket_id = t.id AND h.generation = t.generation
        WHERE t.order_id = ANY($1) ORDER BY t.order_id, t.line, t.serial
        "#,
        ids,
    )
    .fetch_all(conn)
    .await?;
    let mut tickets: HashMap<OrderId, Vec<Ticket>> = HashMap::with_capacity(ids.len());
    for row in rows {
        let signed = (row.key_number, row.seed_key_id, row.type_number);
        let format = match signed {
            (Some(number), Some(ring_id), Some(type_number)) => Format::Second {
                key: KeyName {
                    event: row.event_id.into(),
                    number: stored_number(number),
                    ring_id,
                },
                type_number: stored_number(type_number),
            },
            _ => Format::First {
                key_id: row.code_key_id,
            },
        };
        tickets
            .entry(row.order_id.into())
            .or_default()
            .push(Ticket {
                id: row.id.into(),
                ticket_type_id: row.ticket_type_id.into(),
                category: row.category,
                format,
                generation: row.generation.cast_unsigned(),
                line: row.line,
                voided_by: row.voided_by.map(RefundId::from),
                holder_name: row.holder_name,
            });
    }
    Ok(tickets)
}

/// Stores that these orders are committed, and answers their tickets: one per unit of each line of the
/// order's hold, to be signed with the event's key of this moment. The caller has locked all of them,
/// and sells the stock.
pub async fn commit(
    conn: &mut PgConnection,
    (sources, code_key_id): (&Sources, &str),
    all: &[(OrderId, &Hold)],
) -> Result<HashMap<OrderId, Vec<Ticket>>, Error> {
    let orders: Vec<Uuid> = all.iter().map(|(order, _)| order.uuid()).collect();
    let events: Vec<Uuid> = all.iter().map(|(_, hold)| hold.event_id.uuid()).collect();
    sqlx::query!(
        r#"
        INSERT INTO order_answers (order_id, answer, event_id)
        SELECT order_id, 'committed', event_id
        FROM UNNEST($1::uuid[], $2::uuid[]) AS o (order_id, event_id)
        "#,
        &orders,
        &events,
    )
    .execute(&mut *conn)
    .await?;
    issue_tickets(conn, (sources, code_key_id), all).await?;
    tickets_of_all(conn, &orders).await
}

async fn issue_tickets(
    conn: &mut PgConnection,
    (sources, code_key_id): (&Sources, &str),
    all: &[(OrderId, &Hold)],
) -> Result<(), Error> {
    let (mut ids, mut orders, mut holds): (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>) = Default::default();
    let (mut lines, mut serials): (Vec<i32>, Vec<i32>) = Default::default();
    for (order, hold) in all {
        for line in &hold.lines {
            for serial in 1..=line.quantity.cast_signed() {
                ids.push(TicketId::new(sources).uuid());
                orders.push(order.uuid());
                holds.push(hold.id.uuid());
                lines.push(line.line);
                serials.push(serial);
            }
        }
    }
    let issued = sqlx::query!(
        r#"
        INSERT INTO tickets (id, order_id, event_id, ticket_type_id, category, line, serial,
                             code_key_id, generation, status, key_number, type_number)
        SELECT t.id, t.order_id, y.event_id, l.ticket_type_id, l.category, t.line, t.serial, $1, $2,
               'valid', k.number, y.position
        FROM UNNEST($3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::int[])
            AS t (id, order_id, hold_id, line, serial)
        JOIN hold_lines l ON l.hold_id = t.hold_id AND l.line = t.line
        JOIN ticket_types y ON y.id = l.ticket_type_id
        JOIN event_keys k ON k.event_id = y.event_id AND k.state = 'active'
        "#,
        code_key_id,
        FIRST_GENERATION,
        &ids,
        &orders,
        &holds,
        &lines,
        &serials,
    )
    .execute(conn)
    .await?;
    if issued.rows_affected() == ids.len() as u64 {
        Ok(())
    } else {
        Err(Error::Fault("an order was not given all of its tickets"))
    }
}

/// Sells what these locked holds, which orders are paying for, have set aside. To be done last, because
/// everybody waits for the pools until the transaction commits.
pub async fn sell(conn: &mut PgConnection, holds: &[HoldId]) -> Result<(), Error> {
    let ids: Vec<Uuid> = holds.iter().map(|hold| hold.uuid()).collect();
    let sold = sqlx::query!(
        r#"
        UPDATE holds SET status = 'committed', ended_at = clock_timestamp()
        -- By their keys: '' keeps the index of what runs out from it (decision 0039).
        WHERE id = ANY($1) AND status || '' = 'paying'
        "#,
        &ids,
    )
    .execute(&mut *conn)
    .await?;
    if sold.rows_affected() != ids.len() as u64 {
        return Err(Error::Fault("a locked hold changed its status"));
    }
    stock::settle(conn, holds, Settle::Sold).await
}
