//! The stock of an order that ended unpaid goes back. Not final: money that arrives later is still
//! answered by ticket-svc.

use base::OrderId;
use proto::ticket::ReleaseOrderRequest;

use crate::{app::App, error::Error};

pub(crate) async fn release(app: &App, order: OrderId) -> Result<(), Error> {
    let request = ReleaseOrderRequest {
        order_id: order.to_string(),
    };
    app.inventory.clone().release_order(request).await?;
    kit::failpoint!("payment.stock_released");
    let mark = app.db.run(order, |tx, order| {
        Box::pin(async move {
            sqlx::query!(
                "UPDATE orders SET stock_released_at = clock_timestamp(), next_step_at = NULL
                 WHERE id = $1 AND status IN ('cancelled', 'expired') AND stock_released_at IS NULL",
                order.uuid(),
            )
            .execute(tx)
            .await?;
            Ok::<_, Error>(())
        })
    });
    mark.await
}
