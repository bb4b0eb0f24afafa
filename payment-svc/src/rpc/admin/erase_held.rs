//! A guest who is erased may have been handed tickets of other people's orders. Who they are goes from there, too:
//! the tickets stay valid, and those orders and their guests are left as they are.

use base::{MessageId, OrderId};
use kit::CallContext;
use prost::Message as _;
use proto::{
    event::{Envelope, HolderErased, envelope::Payload},
    ticket::EraseHoldersRequest,
};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    saga,
    store::{self, Audit, By},
};

/// Orders that one call erases a holder of, as many as it erases of their own.
const ORDERS_MAX: i64 = 200;
const ERASED: &str = "holder_erased";

/// Tickets of an order that were handed to an address, or were about to be.
#[derive(Clone, Debug)]
pub(super) struct Held {
    order_id: Uuid,
    transfers: Vec<Uuid>,
    address: String,
}

/// What was handed to this address of orders other than these, and whether that may not be all of it.
pub(super) async fn held_by(
    app: &App,
    email: &str,
    own: &[Uuid],
) -> Result<(Vec<Held>, bool), Error> {
    let input = (email.to_lowercase(), own.to_vec());
    let read = app.db.read(input, |conn, (address, own)| {
        Box::pin(async move {
            let held = sqlx::query_as!(
                Held,
                r#"SELECT order_id, array_agg(id) AS "transfers!", lower(email) AS "address!"
                   FROM ticket_transfers
                   WHERE lower(email) = $1 AND email <> '' AND order_id <> ALL($2)
                   GROUP BY order_id, lower(email) ORDER BY order_id LIMIT $3"#,
                address,
                own,
                ORDERS_MAX,
            );
            Ok::<_, Error>(held.fetch_all(conn).await?)
        })
    });
    let held = read.await?;
    let more = held.len() as i64 == ORDERS_MAX;
    Ok((held, more))
}

impl Held {
    /// The address is needed as long as a ticket or a mail is on its way to it, and one that went there meanwhile is to
    /// be found by a repeat. What it was written, otherwise.
    pub async fn at_rest(&self, conn: &mut PgConnection) -> Result<Vec<Uuid>, Error> {
        let leaving = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM ticket_transfers
                   WHERE order_id = $1 AND lower(email) = $2
                     AND (status = 'requested' OR id <> ALL($3))) AS "leaving!""#,
            self.order_id,
            self.address,
            &self.transfers,
        );
        let leaving = leaving.fetch_one(&mut *conn).await?;
        let written = sqlx::query!(
            r#"SELECT id, envelope, confirmed_at IS NOT NULL AS "confirmed!" FROM outbox
               WHERE order_id = $1 AND kind IN ('ticket_transferred', 'ticket_news') AND envelope <> ''"#,
            self.order_id,
        );
        let written = written.fetch_all(conn).await?.into_iter();
        let theirs: Vec<_> = written
            .filter(|row| self.is_to_them(&row.envelope))
            .collect();
        if leaving || theirs.iter().any(|row| !row.confirmed) {
            return Err(Error::OrderNotOpen);
        }
        Ok(theirs.into_iter().map(|row| row.id).collect())
    }

    fn is_to_them(&self, envelope: &[u8]) -> bool {
        let order = match Envelope::decode(envelope).ok().and_then(|one| one.payload) {
            Some(Payload::TicketTransferred(told)) => told.order,
            Some(Payload::TicketNews(told)) => told.order,
            _ => None,
        };
        order.is_some_and(|order| order.email.to_lowercase() == self.address)
    }

    /// How many transfers lost who they were to.
    pub async fn erase(self, app: &App, note: &str, by: By) -> Result<u64, Error> {
        let request = EraseHoldersRequest {
            order_id: String::new(),
            transfer_ids: self.transfers.iter().map(Uuid::to_string).collect(),
        };
        app.inventory.clone().erase_holders(request).await?;
        let erasing = Erasing {
            held: self,
            note: note.to_owned(),
            message: MessageId::new(&app.sources),
            at: app.sources.now(),
            by,
            context: kit::current(),
        };
        let erase = app
            .db
            .run(erasing, |tx, erasing| Box::pin(erase(tx, erasing)));
        erase.await
    }
}

struct Erasing {
    held: Held,
    note: String,
    message: MessageId,
    at: OffsetDateTime,
    by: By,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

async fn erase(tx: &mut PgConnection, erasing: &Erasing) -> Result<u64, Error> {
    let held = &erasing.held;
    let order: OrderId = held.order_id.into();
    let status = saga::order_status(tx, order).await?;
    let written = held.at_rest(tx).await?;
    let erased = sqlx::query!(
        "UPDATE ticket_transfers SET email = '', name = '', notices = false
         WHERE order_id = $1 AND lower(email) = $2 AND id = ANY($3)",
        held.order_id,
        held.address,
        &held.transfers,
    );
    let erased = erased.execute(&mut *tx).await?.rows_affected();
    if erased == 0 {
        return Ok(0);
    }
    sqlx::query!(
        "UPDATE outbox SET envelope = '' WHERE id = ANY($1)",
        &written
    )
    .execute(&mut *tx)
    .await?;
    store::note(tx, order, status, &erasing.by, ERASED).await?;
    let audit = Audit {
        by: erasing.by.clone(),
        action: "holder.erase",
        object: order.to_string(),
        before: serde_json::Value::Null,
        after: json!({ "note": erasing.note, "transfers": erased }),
    };
    store::audit(tx, &audit).await?;
    if !written.is_empty() {
        let payload = Payload::HolderErased(HolderErased {
            order_id: order.to_string(),
            message_ids: written.iter().map(Uuid::to_string).collect(),
        });
        let enqueue = events::enqueue(tx, erasing.message, erasing.at, payload);
        kit::with_context(erasing.context.clone(), enqueue).await?;
    }
    Ok(erased)
}
