//! Asks the provider now how the newest payment stands, and applies its answer: what the reconciler
//! would do, without its patience. Whoever asks has seen what the order says to a person: notes that are
//! only there to be read are gone afterwards, unless the answer makes them anew.

use std::sync::Arc;

use base::OrderId;
use proto::payment::{VerifyPaymentRequest, VerifyPaymentResponse};
use serde_json::json;
use tonic::Request;

use super::sight::Caller;
use crate::{
    app::App,
    error::Error,
    saga,
    store::{self, AttemptRow, Audit, By, OrderRow},
    view,
};

pub(in crate::rpc) async fn verify_payment(
    app: &Arc<App>,
    request: Request<VerifyPaymentRequest>,
) -> Result<VerifyPaymentResponse, Error> {
    let caller = Caller::of(&request)?;
    let order = caller.order(app, &request.get_ref().order_id).await?;
    let id = order.order_id();
    let by = By::now(&caller.actor());
    app.tasks.complete(verify(app.clone(), order, by)).await?;
    Ok(VerifyPaymentResponse {
        order: Some(view::order(app, id).await?),
    })
}

/// Asking is on record even where the answer changes nothing.
async fn verify(app: Arc<App>, order: OrderRow, by: By) -> Result<(), Error> {
    let attempt = askable(&app, order.order_id()).await?;
    let audit = Audit {
        by: by.clone(),
        action: "payment.verify",
        object: order.id.to_string(),
        before: json!({
            "status": order.status,
            "attempt": attempt.status,
            "needs_attention": order.needs_attention,
        }),
        after: json!({ "asked": attempt.provider }),
    };
    let input = (order.order_id(), audit);
    let record = app.db.run(input, |tx, (order, audit)| {
        Box::pin(async move {
            saga::order_status(tx, *order).await?;
            store::clear_attention(tx, *order).await?;
            Ok::<_, Error>(store::audit(tx, audit).await?)
        })
    });
    record.await?;
    if attempt.is_open() && attempt.provider_ref.is_none() {
        saga::checkout(&app, &order, &attempt).await?;
        return Ok(());
    }
    saga::inquire(&app, &attempt, by).await?;
    Ok(())
}

/// The newest payment, if somebody else than a person knows how it stands.
async fn askable(app: &App, order: OrderId) -> Result<AttemptRow, Error> {
    let (_, attempt) = store::load(app, order).await?;
    let attempt = attempt.ok_or(Error::ProviderCannot)?;
    let provider = app
        .providers
        .get(&attempt.provider)
        .ok_or(Error::ProviderNotEnabled)?;
    if provider.capabilities().tells_truth {
        Ok(attempt)
    } else {
        Err(Error::ProviderCannot)
    }
}
