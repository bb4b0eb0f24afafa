use base::{EventId, OrderId, RefundId, TicketId, TicketTypeId};
use sqlx::PgConnection;

use super::{keys::stored_number, known};
use crate::{
    error::Error,
    signers::{Format, KeyName},
};

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
    let rows = sqlx::query!(
        r#"
        SELECT t.id, t.event_id, t.ticket_type_id, t.category, t.code_key_id, t.generation, t.line,
               t.voided_by, t.type_number, COALESCE(signs.number, own.number) AS key_number,
               COALESCE(signs.seed_key_id, own.seed_key_id) AS seed_key_id,
               COALESCE(h.holder_name, '') AS "holder_name!"
        FROM tickets t
        LEFT JOIN event_keys own ON own.event_id = t.event_id AND own.number = t.key_number
        LEFT JOIN event_keys signs
            ON own.state = 'revoked' AND signs.event_id = t.event_id AND signs.state = 'active'
        LEFT JOIN ticket_transfers h ON h.ticket_id = t.id AND h.generation = t.generation
        WHERE t.order_id = $1 ORDER BY t.line, t.serial
        "#,
        id.uuid(),
    )
    .fetch_all(conn)
    .await?;
    let tickets = rows.into_iter().map(|row| {
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
        Ticket {
            id: row.id.into(),
            ticket_type_id: row.ticket_type_id.into(),
            category: row.category,
            format,
            generation: row.generation.cast_unsigned(),
            line: row.line,
            voided_by: row.voided_by.map(RefundId::from),
            holder_name: row.holder_name,
        }
    });
    Ok(tickets.collect())
}
