//! Frees the stock of an order and refuses any later `begin_payment` of it, also one that is still
//! on its way. It is not the final answer: a late payment may still be committed or refused.

use base::OrderId;
use proto::ticket::{ReleaseOrderRequest, ReleaseOrderResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    domain::hold_state::HoldStep,
    error::Error,
    rpc::fields::Fields,
    store::{holds, orders},
};

pub async fn release_order(
    app: &App,
    request: &ReleaseOrderRequest,
) -> Result<ReleaseOrderResponse, Error> {
    let mut fields = Fields::default();
    let order_id: Option<OrderId> = fields.parse("order_id", &request.order_id);
    let Some(order_id) = order_id else {
        return Err(fields.into_error());
    };
    app.db
        .run(order_id, |conn, order_id| {
            Box::pin(release(conn, *order_id))
        })
        .await?;
    kit::failpoint!("ticket.order_released");
    Ok(ReleaseOrderResponse {})
}

async fn release(conn: &mut PgConnection, order_id: OrderId) -> Result<(), Error> {
    let order = orders::lock(conn, order_id).await?;
    if !order.released {
        sqlx::query!(
            "UPDATE known_orders SET released_at = clock_timestamp() WHERE order_id = $1",
            order_id.uuid(),
        )
        .execute(&mut *conn)
        .await?;
    }
    let Some(hold) = holds::lock_of_order(conn, order_id).await? else {
        return Ok(());
    };
    match hold.state.after(HoldStep::OrderRelease) {
        Some(released) => holds::end(conn, &hold, released).await,
        // Ended before: a repeat moves nothing.
        None => Ok(()),
    }
}
