//! The guest gives the tickets back. Before paying the provider is told first, and a payment that was
//! faster wins; afterwards the rule of the event decides.

use std::sync::Arc;

use base::OrderId;
use kit::FieldProblem;
use proto::payment::{CancelOrderRequest, CancelOrderResponse};
use serde_json::json;

use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::Error,
    saga::{self, Ended, Ending},
    store::{self, Audit, By, Step},
    view,
};

/// Each round finds the order in a new place, and there are few places to go.
const ROUNDS: u32 = 4;

pub(in crate::rpc) async fn cancel_order(
    app: &Arc<App>,
    request: CancelOrderRequest,
) -> Result<CancelOrderResponse, Error> {
    let order = store::load_for_guest(app, &request.order_id, &request.secret).await?;
    let id = order.order_id();
    if let Some(expected) = &request.expected_refund
        && is_settled(order.status()?)
    {
        let expected = proto::money_from(Some(expected)).map_err(|e| {
            Error::Fields(vec![FieldProblem::new("expected_refund", e.to_string())])
        })?;
        let shared = app.clone();
        let cancel = async move { saga::cancel_by_guest(&shared, id, expected, By::guest()).await };
        app.tasks.complete(cancel).await?;
        return answer(app, id).await;
    }
    if !matches!(
        order.status()?,
        OrderStatus::Created
            | OrderStatus::AwaitingPayment
            | OrderStatus::Processing
            | OrderStatus::Cancelled
    ) {
        return Err(Error::OrderNotOpen);
    }
    app.tasks.complete(cancel(app.clone(), id)).await?;
    answer(app, id).await
}

async fn answer(app: &App, id: OrderId) -> Result<CancelOrderResponse, Error> {
    Ok(CancelOrderResponse {
        order: Some(view::order(app, id).await?),
    })
}

/// It was paid, and has its tickets or had them.
fn is_settled(status: OrderStatus) -> bool {
    status.has_tickets() || status == OrderStatus::Refunded
}

async fn cancel(app: Arc<App>, id: OrderId) -> Result<(), Error> {
    for _ in 0..ROUNDS {
        let (order, attempt) = store::load(&app, id).await?;
        let from = order.status()?;
        match from {
            OrderStatus::Created | OrderStatus::AwaitingPayment => {}
            OrderStatus::Cancelled => return give_back(&app, id, order.stock_released).await,
            // It can be given up only if the provider still lets it be closed.
            OrderStatus::Processing => match attempt.filter(|attempt| attempt.is_open()) {
                Some(open) => {
                    let by = By::guest();
                    let now = saga::try_to_close(&app, &order, &open, by).await?;
                    if now == OrderStatus::Processing {
                        return Err(Error::PaymentInProgress);
                    }
                    continue;
                }
                None => return Err(Error::PaymentInProgress),
            },
            // The money was faster: the answer is the order as it is now.
            _ => return Ok(()),
        }
        let to = OrderStatus::Cancelled;
        let step = Step {
            order: id,
            from,
            to,
            by: By::guest(),
            reason: "guest".into(),
        };
        let audit = Audit {
            by: step.by.clone(),
            action: saga::GUEST_CANCELS,
            object: id.to_string(),
            before: json!({"status": from.word()}),
            after: json!({"status": to.word()}),
        };
        let ending = Ending {
            step,
            audit: Some(audit),
        };
        if saga::end(&app, &order, attempt.as_ref(), ending).await? == Ended::Yes {
            return give_back(&app, id, false).await;
        }
    }
    Err(Error::PaymentInProgress)
}

/// At once if ticket-svc is there; otherwise the saga does it.
async fn give_back(app: &App, id: OrderId, done: bool) -> Result<(), Error> {
    if !done && let Err(error) = saga::release(app, id).await {
        tracing::warn!(order = %id, %error, "the stock could not be released yet");
    }
    Ok(())
}
