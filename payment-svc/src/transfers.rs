//! Tickets that were handed on, as they are stored.

use base::OrderId;
use db::DbError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// A ticket on its way to somebody else, or with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransferRow {
    pub id: Uuid,
    pub order_id: Uuid,
    pub ticket_id: Uuid,
    pub body_hash: Vec<u8>,
    pub secret_key_id: String,
    pub email: String,
    pub name: String,
    pub locale: String,
    pub status: String,
    /// The ticket's, once it is done.
    pub generation: Option<i32>,
    /// False once its holder has unsubscribed.
    pub notices: bool,
    pub created_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
}

impl TransferRow {
    pub fn is_requested(&self) -> bool {
        self.status == "requested"
    }

    pub fn is_refused(&self) -> bool {
        self.status == "refused"
    }
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    id: Uuid,
) -> Result<Option<TransferRow>, DbError> {
    let found = sqlx::query_as!(
        TransferRow,
        "SELECT id, order_id, ticket_id, body_hash, secret_key_id, email, name, locale, status,
             generation, notices, created_at, ended_at
         FROM ticket_transfers WHERE id = $1",
        id,
    );
    Ok(found.fetch_optional(conn).await?)
}

/// Oldest first.
pub(crate) async fn of_order(
    conn: &mut PgConnection,
    order: OrderId,
) -> Result<Vec<TransferRow>, DbError> {
    let found = sqlx::query_as!(
        TransferRow,
        "SELECT id, order_id, ticket_id, body_hash, secret_key_id, email, name, locale, status,
             generation, notices, created_at, ended_at
         FROM ticket_transfers WHERE order_id = $1 ORDER BY created_at, id",
        order.uuid(),
    );
    Ok(found.fetch_all(conn).await?)
}

/// Who has each ticket that was handed on, or is about to have it; the last one counts.
pub(crate) fn holders(transfers: Vec<TransferRow>) -> Vec<TransferRow> {
    let mut holders: Vec<TransferRow> = Vec::new();
    for transfer in transfers.into_iter().filter(|one| !one.is_refused()) {
        holders.retain(|before| before.ticket_id != transfer.ticket_id);
        holders.push(transfer);
    }
    holders
}
