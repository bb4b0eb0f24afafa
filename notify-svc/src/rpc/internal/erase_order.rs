//! The guest of an order is erased: every message about it loses its address and its words. What waits is
//! not sent, and what comes later is stored without them.

use base::{MessageId, OrderId};
use sqlx::PgConnection;

use crate::{error::Error, store};

const KIND: &str = "order_erased";

pub(super) struct Erasure {
    pub id: MessageId,
    pub order_id: OrderId,
}

/// Only while nobody stores messages (`store::stop_storing`).
pub(super) async fn erase(tx: &mut PgConnection, erasure: &Erasure) -> Result<(), Error> {
    let order_id = erasure.order_id.uuid();
    store::receive(tx, erasure.id, KIND).await?;
    let erased = sqlx::query!(
        "INSERT INTO erased_orders (order_id) VALUES ($1)
         ON CONFLICT ON CONSTRAINT erased_orders_pkey DO NOTHING",
        order_id,
    );
    erased.execute(&mut *tx).await?;
    let about = sqlx::query_scalar!("SELECT id FROM notifications WHERE order_id = $1", order_id);
    let about = about.fetch_all(&mut *tx).await?;
    store::erase(tx, &about).await?;
    let correction = sqlx::query!(
        "DELETE FROM address_corrections WHERE order_id = $1",
        order_id,
    );
    correction.execute(tx).await?;
    Ok(())
}
