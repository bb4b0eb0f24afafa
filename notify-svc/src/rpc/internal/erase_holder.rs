//! Somebody was erased whom tickets of an order were handed to: the mails that they were sent of it lose address and
//! words. The order's own guest keeps theirs.

use base::{MessageId, OrderId};
use proto::event::HolderErased;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{error::Error, facts::parse, store};

const KIND: &str = "holder_erased";

pub(super) struct HolderErasure {
    pub id: MessageId,
    order_id: OrderId,
    /// Accepted before this one was written.
    message_ids: Vec<Uuid>,
}

impl HolderErasure {
    pub fn read(id: MessageId, erased: &HolderErased) -> Result<Self, Error> {
        Ok(Self {
            id,
            order_id: parse("order_id", &erased.order_id)?,
            message_ids: messages(&erased.message_ids)?,
        })
    }
}

pub(super) fn messages(ids: &[String]) -> Result<Vec<Uuid>, Error> {
    let ids = ids
        .iter()
        .map(|id| parse::<MessageId>("message_ids", id).map(MessageId::uuid));
    ids.collect()
}

/// With what an admin had sent once more.
pub(super) async fn erase_holder(
    tx: &mut PgConnection,
    erasure: &HolderErasure,
) -> Result<(), Error> {
    store::receive(tx, erasure.id, KIND).await?;
    let theirs = sqlx::query_scalar!(
        "SELECT id FROM notifications WHERE order_id = $1 AND message_id = ANY($2)",
        erasure.order_id.uuid(),
        &erasure.message_ids,
    );
    let theirs = theirs.fetch_all(&mut *tx).await?;
    store::erase(tx, &theirs).await?;
    Ok(())
}
