//! Forgets the names of those to whom tickets of an order were handed on, whenever that was. Nothing
//! else of ticket-svc names a guest.

use base::OrderId;
use proto::ticket::{EraseHoldersRequest, EraseHoldersResponse};
use sqlx::PgConnection;

use crate::{app::App, error::Error, rpc::fields::Fields, store::orders};

pub async fn erase_holders(
    app: &App,
    request: &EraseHoldersRequest,
) -> Result<EraseHoldersResponse, Error> {
    let mut fields = Fields::default();
    let order_id: Option<OrderId> = fields.parse("order_id", &request.order_id);
    let Some(order_id) = order_id else {
        return Err(fields.into_error());
    };
    app.db
        .run(order_id, |conn, order_id| Box::pin(erase(conn, *order_id)))
        .await?;
    Ok(EraseHoldersResponse {})
}

async fn erase(conn: &mut PgConnection, order_id: OrderId) -> Result<(), Error> {
    // A transfer that is under way ends first.
    orders::lock(conn, order_id).await?;
    sqlx::query!(
        r#"
        UPDATE ticket_transfers h SET holder_name = ''
        FROM tickets t WHERE t.id = h.ticket_id AND t.order_id = $1 AND h.holder_name <> ''
        "#,
        order_id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
