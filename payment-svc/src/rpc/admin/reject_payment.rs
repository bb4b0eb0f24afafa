//! A payment that only a person can confirm will not come: the order ends, and a part that had arrived
//! goes back.

use std::sync::Arc;

use base::bounded_multiline;
use kit::FieldProblem;
use proto::payment::{RejectPaymentRequest, RejectPaymentResponse};
use serde_json::json;
use tonic::Request;

use super::{
    confirm_payment::{NOTE_MAX_CHARS, newest_manual, takes_a_person_s_word},
    sight::Caller,
};
use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::Error,
    saga::{self, Ended, Ending},
    store::{self, AttemptRow, Audit, By, OrderRow, Step},
    view,
};

pub(in crate::rpc) async fn reject_payment(
    app: &Arc<App>,
    request: Request<RejectPaymentRequest>,
) -> Result<RejectPaymentResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let note = bounded_multiline("note", &request.note, 0, NOTE_MAX_CHARS)
        .map_err(|e| Error::Fields(vec![FieldProblem::new("note", e.problem)]))?;
    let order = caller.order(app, &request.order_id).await?;
    let id = order.order_id();
    newest_manual(app, &order).await?;
    let by = By::now(&caller.actor());
    app.tasks
        .complete(reject(app.clone(), order, note, by))
        .await?;
    Ok(RejectPaymentResponse {
        order: Some(view::order(app, id).await?),
    })
}

async fn reject(app: Arc<App>, order: OrderRow, note: String, by: By) -> Result<(), Error> {
    let (order, attempt) = store::load(&app, order.order_id()).await?;
    match order.status()? {
        OrderStatus::AwaitingPayment => {}
        // Once more changes nothing.
        OrderStatus::Cancelled => return Ok(()),
        _ => return Err(Error::OrderNotOpen),
    }
    let manual = |attempt: &AttemptRow| takes_a_person_s_word(&app, attempt);
    if !attempt.as_ref().is_some_and(manual) {
        // The guest is paying in another way, which a person does not judge.
        return Err(Error::ProviderCannot);
    }
    let audit = Audit {
        by: by.clone(),
        action: "payment.reject",
        object: order.id.to_string(),
        before: json!({ "status": order.status }),
        after: json!({ "status": "cancelled", "note": note }),
    };
    let step = Step {
        order: order.order_id(),
        from: OrderStatus::AwaitingPayment,
        to: OrderStatus::Cancelled,
        by,
        reason: "payment_rejected".to_owned(),
    };
    let ending = Ending {
        step,
        audit: Some(audit),
    };
    match saga::end(&app, &order, attempt.as_ref(), ending).await? {
        Ended::Yes => Ok(()),
        // Confirmed meanwhile, by somebody else.
        Ended::No => Err(Error::OrderNotOpen),
    }
}
