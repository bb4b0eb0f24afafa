//! The order as it stands. A guest who comes back from the payment page has the provider asked first,
//! so the page does not wait for a webhook.

use std::{sync::Arc, time::Duration};

use proto::payment::{GetOrderRequest, GetOrderResponse};

use crate::{
    app::App,
    error::Error,
    saga,
    store::{self, By, OrderRow},
    view,
};

/// The guest is waiting; the reconciler asks again anyway.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(2);

pub(in crate::rpc) async fn get_order(
    app: &Arc<App>,
    request: GetOrderRequest,
) -> Result<GetOrderResponse, Error> {
    let order = store::load_for_guest(app, &request.order_id, &request.secret).await?;
    if request.refresh {
        refresh(app, &order).await;
    }
    Ok(GetOrderResponse {
        order: Some(view::order(app, order.order_id()).await?),
    })
}

/// Best effort: what cannot be asked now is answered from what is known.
async fn refresh(app: &Arc<App>, order: &OrderRow) {
    let (shared, id) = (app.clone(), order.order_id());
    let work = app.tasks.spawn(async move {
        let (_, attempt) = store::load(&shared, id).await?;
        if let Some(attempt) = attempt.filter(|attempt| attempt.is_open()) {
            saga::inquire(&shared, &attempt, By::now(&attempt.provider)).await?;
        }
        Ok::<_, Error>(())
    });
    match tokio::time::timeout(REFRESH_TIMEOUT, work).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => {
            tracing::warn!(order = %id, %error, "the provider could not be asked")
        }
        Ok(Err(error)) => tracing::error!(order = %id, %error, "asking the provider failed"),
        Err(_) => tracing::warn!(order = %id, "the provider takes long to answer"),
    }
}
