//! An order went to another address. What was written to its guest before and has not been sent, or came back, is
//! withdrawn and goes to the new address instead, but for what payment-svc writes anew itself.

use base::{MessageId, NotificationId, OrderId, Sources};
use proto::event::{AddressCorrected, envelope::Payload};
use sqlx::PgConnection;
use uuid::Uuid;

use super::erase_holder::messages;
use crate::{
    error::Error,
    facts::{self, parse},
    kinds::{self, Kind},
    store,
};

const KIND: &str = "address_corrected";

pub(super) struct Correction {
    pub id: MessageId,
    to: NewAddress,
}

/// Where an order went, and what was written to its guest before.
struct NewAddress {
    order_id: Uuid,
    generation: i32,
    email: String,
    order_link: Vec<u8>,
    unsubscribe_link: Vec<u8>,
    message_ids: Vec<Uuid>,
}

impl Correction {
    pub fn read(id: MessageId, told: &AddressCorrected) -> Result<Self, Error> {
        let order_id: OrderId = parse("order_id", &told.order_id)?;
        let generation = i32::try_from(told.generation);
        Ok(Self {
            id,
            to: NewAddress {
                order_id: order_id.uuid(),
                generation: generation.map_err(|_| Error::field("generation", "is too large"))?,
                email: facts::email(&told.email)?,
                order_link: told.sealed_order_link.clone(),
                unsubscribe_link: told.sealed_unsubscribe_link.clone(),
                message_ids: messages(&told.message_ids)?,
            },
        })
    }
}

/// Only while nobody stores messages (`store::stop_storing`): one that comes later is found by `catch_up`. Of several
/// corrections the newest counts, and names every message that the older ones do.
pub(super) async fn correct_address(
    tx: &mut PgConnection,
    sources: &Sources,
    correction: &Correction,
) -> Result<(), Error> {
    store::receive(tx, correction.id, KIND).await?;
    let to = &correction.to;
    let newest = sqlx::query!(
        "INSERT INTO address_corrections AS c
             (order_id, generation, email, order_link, unsubscribe_link, message_ids)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE NOT EXISTS (SELECT FROM erased_orders WHERE order_id = $1)
         ON CONFLICT ON CONSTRAINT address_corrections_pkey DO UPDATE
         SET generation = EXCLUDED.generation, email = EXCLUDED.email, order_link = EXCLUDED.order_link,
             unsubscribe_link = EXCLUDED.unsubscribe_link, message_ids = EXCLUDED.message_ids
         WHERE c.generation < EXCLUDED.generation",
        to.order_id,
        to.generation,
        to.email,
        to.order_link,
        to.unsubscribe_link,
        &to.message_ids,
    );
    if newest.execute(&mut *tx).await?.rows_affected() == 1 {
        withdraw(tx, sources, to).await?;
    }
    Ok(())
}

/// These messages were stored just now, and their orders' corrections perhaps before.
pub(super) async fn catch_up(
    tx: &mut PgConnection,
    sources: &Sources,
    (orders, messages): (&[Uuid], &[Uuid]),
) -> Result<(), Error> {
    let overtaken = sqlx::query_as!(
        NewAddress,
        "SELECT order_id, generation, email, order_link, unsubscribe_link, message_ids
         FROM address_corrections WHERE order_id = ANY($1) AND message_ids && $2",
        orders,
        messages,
    );
    for to in overtaken.fetch_all(&mut *tx).await? {
        withdraw(tx, sources, &to).await?;
    }
    Ok(())
}

/// What is on its way to a mail server at this moment ends by itself; if that does not take it, it is withdrawn then.
/// Of what failed and came back somebody may have said that nothing more is to be done.
async fn withdraw(tx: &mut PgConnection, sources: &Sources, to: &NewAddress) -> Result<(), Error> {
    let waiting = sqlx::query!(
        "SELECT id, kind, content FROM notifications
         WHERE order_id = $1 AND message_id = ANY($2) AND recipient <> $3
           AND (status IN ('queued', 'sending')
                OR status IN ('failed', 'bounced') AND dismissed_at IS NULL)
           AND withdrawn_at IS NULL
         ORDER BY id FOR UPDATE",
        to.order_id,
        &to.message_ids,
        to.email,
    );
    let waiting = waiting.fetch_all(&mut *tx).await?;
    let ids: Vec<Uuid> = waiting.iter().map(|row| row.id).collect();
    let withdrawn = sqlx::query!(
        "UPDATE notifications
         SET withdrawn_at = clock_timestamp(), sent_at = NULL, status = 'withdrawn'
         WHERE id = ANY($1) AND status <> 'sending'",
        &ids,
    );
    withdrawn.execute(&mut *tx).await?;
    // Their status is not set: that would end them.
    let on_their_way = sqlx::query!(
        "UPDATE notifications SET withdrawn_at = clock_timestamp()
         WHERE id = ANY($1) AND status = 'sending'",
        &ids,
    );
    on_their_way.execute(&mut *tx).await?;
    for row in waiting {
        if let Some(content) = readdressed(&row.kind, &row.content, to) {
            let id = NotificationId::new(sources);
            send_instead(tx, (row.id, id.uuid()), (&to.email, &content)).await?;
        }
    }
    Ok(())
}

/// None of what the new address gets in a message of its own.
fn readdressed(kind: &str, content: &[u8], to: &NewAddress) -> Option<Vec<u8>> {
    let mut payload = Kind::from_word(kind)?.payload(content).ok()?;
    let order = match &mut payload {
        Payload::OrderUnfulfillable(told) => &mut told.order,
        Payload::OrderRefunded(told) => &mut told.order,
        Payload::OrderCancelled(told) => &mut told.order,
        Payload::OrderPostponed(told) => &mut told.order,
        Payload::OrderReminder(told) => &mut told.order,
        _ => return None,
    };
    let order = order.as_mut()?;
    order.email.clone_from(&to.email);
    order.sealed_order_link.clone_from(&to.order_link);
    order
        .sealed_unsubscribe_link
        .clone_from(&to.unsubscribe_link);
    Some(kinds::content(&payload))
}

/// Where the order comes back to an address, what was withdrawn there is sent. An attempt that is still on its way there
/// keeps its lease, and is not the last one.
async fn send_instead(
    tx: &mut PgConnection,
    (old, new): (Uuid, Uuid),
    (email, content): (&str, &[u8]),
) -> Result<(), Error> {
    let queued = sqlx::query!(
        "INSERT INTO notifications AS n (id, message_id, subject_id, order_id, event_id, kind, channel,
             recipient, revision, content, traceparent, priority, copy)
         SELECT $2, o.message_id, o.subject_id, o.order_id, o.event_id, o.kind, o.channel, $3,
             o.revision, $4, o.traceparent, o.priority, o.copy
         FROM notifications o WHERE o.id = $1
         ON CONFLICT ON CONSTRAINT notifications_once DO UPDATE
         SET status = CASE n.status WHEN 'sending' THEN n.status ELSE 'queued' END,
             next_attempt_at = CASE n.status WHEN 'sending' THEN n.next_attempt_at
                                             ELSE clock_timestamp() END,
             withdrawn_at = NULL, content = EXCLUDED.content, failures = 0, give_up_at = NULL
         WHERE n.status IN ('withdrawn', 'sending') AND n.withdrawn_at IS NOT NULL",
        old,
        new,
        email,
        content,
    );
    queued.execute(tx).await?;
    Ok(())
}
