//! The order goes to another address. Whoever got the mail has the order's link, so the link alone does
//! not move it: it takes the proof that only who placed the order was given.

use std::sync::Arc;

use base::{EmailAddress, IdempotencyKey, MessageId, OrderId, body_hash, derived_id};
use kit::FieldProblem;
use proto::payment::{CorrectAddressRequest, CorrectAddressResponse};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    app::App,
    domain::timeline::ADDRESS_CORRECTED,
    error::Error,
    limits::{self, CORRECTIONS, WRONG_PROOFS},
    saga::{self, ReceiptAgain},
    store::{self, By, OrderRow},
    view,
};

pub(in crate::rpc) async fn correct_address(
    app: &Arc<App>,
    request: CorrectAddressRequest,
) -> Result<CorrectAddressResponse, Error> {
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let email: EmailAddress = request.email.parse().map_err(|e| {
        Error::Fields(vec![FieldProblem::new(
            "email",
            format!("is not valid: {e}"),
        )])
    })?;
    let id: OrderId = request.order_id.parse().map_err(|_| Error::OrderNotFound)?;
    let hash = body_hash(&[email.as_str().as_bytes()]);
    let correction = derived_id(&format!("orders/{id}/address"), &key);
    let (order, _) = store::load(app, id).await?;
    let before = find(app, correction).await?;
    // A repeat comes with the secret that the first one made invalid.
    let generation = before.as_ref().map(|before| before.generation);
    let presented = OrderRow {
        secret_generation: generation.unwrap_or(order.secret_generation),
        ..order.clone()
    };
    if !app.secret_is_right(&presented, &request.secret) {
        return Err(Error::OrderNotFound);
    }
    if order.erased || !app.purchase_proof_is_right(&order, &request.purchase_proof) {
        limits::take(app, WRONG_PROOFS, &id.to_string()).await?;
        return Err(Error::OrderNotFound);
    }
    if before.is_none() {
        limits::take(app, CORRECTIONS, &id.to_string()).await?;
    }
    match before {
        Some(before) if before.body_hash != hash => return Err(Error::KeyReused),
        // Another correction came after it, and its link is not this caller's to have.
        Some(before) if before.generation + 1 != order.secret_generation => {
            return Err(Error::OrderNotFound);
        }
        Some(_) => {}
        None => correct(app, &order, (correction, hash), &email).await?,
    }
    answer(app, id).await
}

async fn answer(app: &App, id: OrderId) -> Result<CorrectAddressResponse, Error> {
    let (order, _) = store::load(app, id).await?;
    let secret = app.order_secret(&order).ok_or(Error::OrderNotFound)?;
    Ok(CorrectAddressResponse {
        order: Some(view::order(app, id).await?),
        secret: secret.expose().to_owned(),
    })
}

struct Before {
    body_hash: Vec<u8>,
    generation: i32,
}

async fn find(app: &App, id: Uuid) -> Result<Option<Before>, Error> {
    let read = app.db.read(id, |conn, id| {
        Box::pin(async move {
            let found = sqlx::query_as!(
                Before,
                "SELECT body_hash, generation FROM address_corrections WHERE id = $1",
                id,
            );
            Ok::<_, Error>(found.fetch_optional(conn).await?)
        })
    });
    read.await
}

struct Correction {
    id: Uuid,
    hash: [u8; 32],
    order: OrderId,
    email: String,
    /// Before.
    generation: i32,
    /// None where there is nothing to send.
    receipt: Option<ReceiptAgain>,
    by: By,
}

async fn correct(
    app: &App,
    order: &OrderRow,
    (id, hash): (Uuid, [u8; 32]),
    email: &EmailAddress,
) -> Result<(), Error> {
    if email.as_str() == order.email {
        let problem = FieldProblem::new("email", "must be another one than before");
        return Err(Error::Fields(vec![problem]));
    }
    let corrected = OrderRow {
        email: email.as_str().to_owned(),
        secret_generation: order.secret_generation + 1,
        ..order.clone()
    };
    let by = By::now("guest");
    let message = MessageId::new(&app.sources);
    let receipt = match ReceiptAgain::of(app, &corrected, message, by.clone()).await {
        Ok(receipt) => Some(receipt),
        Err(Error::TicketsNotReady) => None,
        Err(error) => return Err(error),
    };
    let correction = Correction {
        id,
        hash,
        order: order.order_id(),
        email: corrected.email,
        generation: order.secret_generation,
        receipt,
        by,
    };
    let write = app
        .db
        .run(correction, |tx, correction| Box::pin(write(tx, correction)));
    write.await?;
    app.nudges.outbox.notify_one();
    Ok(())
}

/// Address, link, receipt and story, all or none. An order that another correction was faster with is
/// not this caller's any more.
async fn write(tx: &mut PgConnection, correction: &Correction) -> Result<(), Error> {
    let status = saga::order_status(tx, correction.order).await?;
    let moved = sqlx::query!(
        "UPDATE orders SET email = $3, secret_generation = $2 + 1, updated_at = clock_timestamp()
         WHERE id = $1 AND secret_generation = $2 AND erased_at IS NULL",
        correction.order.uuid(),
        correction.generation,
        correction.email,
    );
    if moved.execute(&mut *tx).await?.rows_affected() == 0 {
        return Err(Error::OrderNotFound);
    }
    sqlx::query!(
        "INSERT INTO address_corrections (id, order_id, body_hash, generation)
         VALUES ($1, $2, $3, $4)",
        correction.id,
        correction.order.uuid(),
        &correction.hash[..],
        correction.generation,
    )
    .execute(&mut *tx)
    .await?;
    // Without the addresses: the story is never rewritten, and a guest may be erased.
    store::note(
        tx,
        correction.order,
        status,
        &correction.by,
        ADDRESS_CORRECTED,
    )
    .await?;
    if let Some(receipt) = &correction.receipt {
        receipt.enqueue(tx).await?;
    }
    Ok(())
}
