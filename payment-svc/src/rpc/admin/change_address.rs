//! The order goes to another address because an admin says so: for a guest who mistyped it and has no proof of the
//! purchase any more. The admin hears no link; it is mailed.

use std::sync::Arc;

use base::{EmailAddress, IdempotencyKey, body_hash, bounded_multiline, derived_id};
use kit::FieldProblem;
use proto::payment::{ChangeAddressRequest, ChangeAddressResponse};
use serde_json::json;
use tonic::Request;

use super::sight::Caller;
use crate::{
    app::App,
    error::Error,
    saga::{self, NewAddress},
    store::{Audit, By},
};

const REASON_MAX_CHARS: usize = 500;

pub(in crate::rpc) async fn change_address(
    app: &Arc<App>,
    request: Request<ChangeAddressRequest>,
) -> Result<ChangeAddressResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let order = caller.order(app, &request.order_id).await?;
    let (email, reason) = read(&request)?;
    let hash = body_hash(&[email.as_str().as_bytes(), reason.as_bytes()]);
    let id = derived_id(&format!("admin/orders/{}/address", order.id), &key);
    match saga::find_correction(app, id).await? {
        Some(before) if before.body_hash != hash => return Err(Error::KeyReused),
        Some(_) => return Ok(ChangeAddressResponse { email: order.email }),
        None if order.erased => return Err(Error::OrderNotOpen),
        None => {}
    }
    let by = By::now(&caller.actor());
    // Without the addresses: the record is never rewritten, and a guest may be erased.
    let audit = Audit {
        by: by.clone(),
        action: "order.change_address",
        object: order.id.to_string(),
        before: json!({ "link": order.secret_generation }),
        after: json!({ "link": order.secret_generation + 1, "note": reason }),
    };
    let answer = ChangeAddressResponse {
        email: email.as_str().to_owned(),
    };
    let new = NewAddress {
        id,
        hash,
        email,
        by,
        audit: Some(audit),
    };
    let moved = saga::correct_address(app, &order, new).await?;
    // The faster one may have been this very request.
    if !moved && saga::find_correction(app, id).await?.is_none() {
        return Err(Error::OrderNotOpen);
    }
    Ok(answer)
}

fn read(request: &ChangeAddressRequest) -> Result<(EmailAddress, String), Error> {
    let email = request.email.parse::<EmailAddress>();
    let email = email.map_err(|e| FieldProblem::new("email", format!("is not valid: {e}")));
    let reason = bounded_multiline("reason", &request.reason, 1, REASON_MAX_CHARS);
    let reason = reason.map_err(|e| FieldProblem::new("reason", e.problem));
    match (email, reason) {
        (Ok(email), Ok(reason)) => Ok((email, reason)),
        (email, reason) => Err(Error::Fields(
            [email.err(), reason.err()].into_iter().flatten().collect(),
        )),
    }
}
