//! The order goes to another address. Whoever got the mail has the order's link, so the link alone does
//! not move it: it takes the proof that only who placed the order was given.

use std::sync::Arc;

use base::{EmailAddress, IdempotencyKey, OrderId, body_hash, derived_id};
use kit::FieldProblem;
use proto::payment::{CorrectAddressRequest, CorrectAddressResponse};

use crate::{
    app::App,
    error::Error,
    limits::{self, CORRECTIONS, WRONG_PROOFS},
    saga::{self, NewAddress},
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
    let before = saga::find_correction(app, correction).await?;
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
        None => {
            let new = NewAddress {
                id: correction,
                hash,
                email,
                by: By::now("guest"),
                audit: None,
            };
            if !saga::correct_address(app, &order, new).await? {
                return Err(Error::OrderNotFound);
            }
        }
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
