//! The guest gives the tickets back before paying. The provider is told first; a payment that was
//! faster wins.

use std::sync::Arc;

use base::OrderId;
use proto::payment::{CancelOrderRequest, CancelOrderResponse};

use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::Error,
    saga::{self, Ended, Ending},
    store::{self, By, Step},
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
    Ok(CancelOrderResponse {
        order: Some(view::order(app, id).await?),
    })
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
                    let by = By::now("guest");
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
            by: By::now("guest"),
            reason: "guest".into(),
        };
        let ending = Ending { step, audit: None };
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
