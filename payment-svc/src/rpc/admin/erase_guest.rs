//! Erases who the guest of an order was, on their request. What was sold, paid and refunded stays as it is:
//! no amount, no ticket and no step of the story is touched.

use std::sync::Arc;

use base::{MessageId, OrderId, bounded_multiline};
use kit::{CallContext, FieldProblem};
use proto::{
    event::{OrderErased, envelope::Payload},
    payment::{EraseGuestRequest, EraseGuestResponse},
    ticket::EraseHoldersRequest,
};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;
use uuid::Uuid;

use super::{
    erase_held::{self, Held},
    sight::Caller,
};
use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::Error,
    saga,
    store::{self, Audit, By},
};

const NOTE_MAX_CHARS: usize = 500;
/// Orders of one address that one call erases; a call more erases the rest.
const ORDERS_MAX: i64 = 200;
const ERASED: &str = "guest_erased";

pub(in crate::rpc) async fn erase_guest(
    app: &Arc<App>,
    request: Request<EraseGuestRequest>,
) -> Result<EraseGuestResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let order = caller.order(app, &request.order_id).await?;
    let note = bounded_multiline("note", &request.note, 0, NOTE_MAX_CHARS);
    let note =
        note.map_err(|error| Error::Fields(vec![FieldProblem::new("note", error.problem)]))?;
    let mut ids = vec![order.id];
    let (mut held, mut more) = (Vec::new(), false);
    if request.all_of_address && !order.erased {
        ids.extend(others_of(app, order.id, &order.email).await?);
        (held, more) = erase_held::held_by(app, &order.email, &ids).await?;
        more |= ids.len() as i64 > ORDERS_MAX;
    }
    all_must_be_at_rest(app, &ids, &held).await?;
    let by = By::now(&caller.actor());
    let mut transfers = 0;
    for held in held {
        transfers += held.erase(app, &note, by.clone()).await?;
    }
    // The one that was asked with comes last: as long as it has its address, a repeat finds all that is left. That is
    // why it is kept where there may be more.
    if more {
        ids.remove(0);
    }
    for id in ids.iter().rev() {
        let after = if *id == order.id {
            json!({ "note": note, "transfers": transfers })
        } else {
            json!({ "note": note })
        };
        erase_order(app, (*id).into(), after, by.clone()).await?;
    }
    app.nudges.outbox.notify_one();
    let order_ids = ids.iter().map(Uuid::to_string).collect();
    Ok(EraseGuestResponse { order_ids })
}

/// Every one of them, before the first is touched.
async fn all_must_be_at_rest(app: &App, ids: &[Uuid], held: &[Held]) -> Result<(), Error> {
    let input = (ids.to_vec(), held.to_vec());
    let check = app.db.read(input, |conn, (ids, held)| {
        Box::pin(async move {
            for id in ids {
                must_be_at_rest(conn, (*id).into()).await?;
            }
            for held in held {
                held.at_rest(conn).await?;
            }
            Ok::<_, Error>(())
        })
    });
    check.await
}

async fn erase_order(
    app: &App,
    order: OrderId,
    after: serde_json::Value,
    by: By,
) -> Result<(), Error> {
    let request = EraseHoldersRequest {
        order_id: order.to_string(),
        transfer_ids: Vec::new(),
    };
    app.inventory.clone().erase_holders(request).await?;
    let erasing = Erasing {
        order,
        after,
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

async fn others_of(app: &App, order: Uuid, email: &str) -> Result<Vec<Uuid>, Error> {
    let address = email.to_lowercase();
    let read = app.db.read((order, address), |conn, (order, address)| {
        Box::pin(async move {
            let others = sqlx::query_scalar!(
                "SELECT id FROM orders WHERE lower(email) = $2 AND id <> $1 ORDER BY id LIMIT $3",
                order,
                address,
                ORDERS_MAX,
            );
            Ok::<_, Error>(others.fetch_all(conn).await?)
        })
    });
    read.await
}

/// Nobody is to be written to any more, and no provider to be asked on their behalf.
async fn must_be_at_rest(conn: &mut PgConnection, order: OrderId) -> Result<(), Error> {
    let busy = sqlx::query_scalar!(
        r#"SELECT o.next_step_at IS NOT NULL OR o.status IN ('created', 'awaiting_payment',
                   'processing', 'paid', 'mismatch')
               OR EXISTS (SELECT FROM refunds r WHERE r.order_id = o.id
                   AND r.status IN ('requested', 'submitted', 'failed'))
               OR EXISTS (SELECT FROM ticket_transfers t WHERE t.order_id = o.id
                   AND t.status = 'requested')
               OR EXISTS (SELECT FROM holder_news n WHERE n.order_id = o.id
                   AND n.next_step_at IS NOT NULL)
               OR EXISTS (SELECT FROM outbox b WHERE b.order_id = o.id AND b.confirmed_at IS NULL
                   AND b.kind <> 'order_erased') AS "busy!"
           FROM orders o WHERE o.id = $1"#,
        order.uuid(),
    );
    if busy.fetch_one(conn).await? {
        return Err(Error::OrderNotOpen);
    }
    Ok(())
}

struct Erasing {
    order: OrderId,
    /// For the audit log.
    after: serde_json::Value,
    message: MessageId,
    at: OffsetDateTime,
    by: By,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

async fn erase(tx: &mut PgConnection, erasing: &Erasing) -> Result<(), Error> {
    let order = erasing.order;
    let status = saga::order_status(tx, order).await?;
    must_be_at_rest(tx, order).await?;
    // A new generation: the links in old mails are dead.
    let erased = sqlx::query!(
        "UPDATE orders
         SET email = '', name = '', phone_number = '', reminder = false, notices = false,
             secret_generation = secret_generation + 1, notes = '{}',
             erased_at = clock_timestamp(), updated_at = clock_timestamp()
         WHERE id = $1 AND erased_at IS NULL",
        order.uuid(),
    );
    if erased.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(());
    }
    erase_around(tx, order).await?;
    tell(tx, erasing, status).await
}

/// What others said of the guest: providers, admins, and the guest of whom a ticket went to.
async fn erase_around(tx: &mut PgConnection, order: OrderId) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE ticket_transfers SET email = '', name = '' WHERE order_id = $1",
        order.uuid()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE provider_events e SET body = ''
         FROM payment_attempts a
         WHERE a.order_id = $1 AND e.provider = a.provider
           AND e.reference IN (a.provider_ref, a.capture_ref)",
        order.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE manual_arrivals m SET note = ''
         FROM payment_attempts a WHERE a.order_id = $1 AND m.attempt_id = a.id",
        order.uuid(),
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE refunds SET note = '' WHERE order_id = $1",
        order.uuid()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE outbox SET envelope = '' WHERE order_id = $1 AND kind <> 'order_erased'",
        order.uuid()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The story, the audit log, and notify-svc, which has mails of it.
async fn tell(tx: &mut PgConnection, erasing: &Erasing, status: OrderStatus) -> Result<(), Error> {
    let order = erasing.order;
    store::note(tx, order, status, &erasing.by, ERASED).await?;
    let audit = Audit {
        by: erasing.by.clone(),
        action: "guest.erase",
        object: order.to_string(),
        before: serde_json::Value::Null,
        after: erasing.after.clone(),
    };
    store::audit(tx, &audit).await?;
    let order_id = order.to_string();
    let payload = Payload::OrderErased(OrderErased { order_id });
    let enqueue = events::enqueue(tx, erasing.message, erasing.at, payload);
    kit::with_context(erasing.context.clone(), enqueue).await?;
    Ok(())
}
