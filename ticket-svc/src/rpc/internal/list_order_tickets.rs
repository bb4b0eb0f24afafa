//! The tickets of a committed order; empty for any other.

use base::OrderId;
use proto::ticket::{ListOrderTicketsRequest, ListOrderTicketsResponse};

use crate::{
    app::App,
    error::Error,
    rpc::{fields::Fields, view},
    store::orders,
};

pub async fn list_order_tickets(
    app: &App,
    request: &ListOrderTicketsRequest,
) -> Result<ListOrderTicketsResponse, Error> {
    let mut fields = Fields::default();
    let order_id: Option<OrderId> = fields.parse("order_id", &request.order_id);
    let Some(order_id) = order_id else {
        return Err(fields.into_error());
    };
    let tickets = app
        .db
        .read(order_id, |conn, order_id| {
            Box::pin(orders::tickets(conn, *order_id))
        })
        .await?;
    Ok(ListOrderTicketsResponse {
        tickets: view::tickets(&app.signers, &tickets).await?,
    })
}
