//! The part of placing an order and of starting a payment that calls others. It goes on when the guest
//! hangs up or has been answered.

use std::{sync::Arc, time::Duration};

use base::{OrderId, Secret};
use kit::Failure;
use proto::payment::Order;

use crate::{
    app::App,
    domain::order_state::OrderStatus,
    error::Error,
    saga::{self, Bound},
    store::{self, By},
    view,
};

/// A guest waits no longer for the payment page; the order has it later.
const PREPARING_AFTER: Duration = Duration::from_secs(5);

/// Takes the order as far as a page to pay on, and answers how it stands.
pub(super) async fn prepare(
    app: &Arc<App>,
    order: OrderId,
    hold_secret: Option<Secret>,
) -> Result<Order, Error> {
    let work = app.tasks.spawn(go_on(app.clone(), order, hold_secret));
    match tokio::time::timeout(PREPARING_AFTER, work).await {
        Ok(Ok(outcome)) => outcome?,
        Ok(Err(_)) => return Err(Failure::panicked().into()),
        Err(_still_at_work) => {}
    }
    view::order(app, order).await
}

async fn go_on(app: Arc<App>, id: OrderId, hold_secret: Option<Secret>) -> Result<(), Error> {
    let (order, _) = store::load(&app, id).await?;
    if order.status()? == OrderStatus::Created {
        let bound = saga::bind(&app, &order, hold_secret.as_ref(), By::now("guest")).await?;
        if let Bound::Refused(refusal) = bound
            && let Some(refusal) = saga::refuse(&app, id, refusal, By::now("saga")).await?
        {
            return Err(Error::Refused(refusal));
        }
    }
    let (order, attempt) = store::load(&app, id).await?;
    app.nudges.orders.notify_one();
    match attempt.filter(|attempt| attempt.is_open()) {
        Some(attempt) if order.status()? == OrderStatus::AwaitingPayment => {
            match saga::checkout(&app, &order, &attempt).await {
                Ok(_) => Ok(()),
                // The attempt is a row: the saga asks the provider again, and the guest sees `preparing`.
                Err(error @ (Error::Provider(_) | Error::ProviderNotEnabled)) => {
                    tracing::warn!(order = %id, %error, "payment page not ready, trying again");
                    Ok(())
                }
                Err(error) => Err(error),
            }
        }
        _ => Ok(()),
    }
}
