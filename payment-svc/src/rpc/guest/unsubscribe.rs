//! One click ends every message about an order but its receipts; or, with the link of a ticket that was handed
//! on, every message to that address about it.

use std::sync::Arc;

use base::OrderId;
use proto::payment::{UnsubscribeRequest, UnsubscribeResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    error::Error,
    saga,
    store::{self, By},
    transfers::{self, TransferRow},
};

const UNSUBSCRIBED: &str = "unsubscribed";

pub(in crate::rpc) async fn unsubscribe(
    app: &Arc<App>,
    request: UnsubscribeRequest,
) -> Result<UnsubscribeResponse, Error> {
    let id: OrderId = request.order_id.parse().map_err(|_| Error::OrderNotFound)?;
    let find = app.db.read(id.uuid(), |conn, id| {
        Box::pin(async move { Ok::<_, Error>(transfers::find(conn, *id).await?) })
    });
    if let Some(transfer) = find.await? {
        return end_for_holder(app, transfer, &request.token).await;
    }
    let (order, _) = store::load(app, id).await?;
    if !app.unsubscribe_secret_is_right(&order, &request.token) {
        return Err(Error::OrderNotFound);
    }
    let write = app.db.run((id, By::now("guest")), |tx, (id, by)| {
        Box::pin(write(tx, *id, by))
    });
    write.await?;
    Ok(UnsubscribeResponse {})
}

async fn write(tx: &mut PgConnection, id: OrderId, by: &By) -> Result<(), Error> {
    let status = saga::order_status(tx, id).await?;
    let changed = sqlx::query!(
        "UPDATE orders SET notices = false, updated_at = clock_timestamp()
         WHERE id = $1 AND notices",
        id.uuid(),
    );
    if changed.execute(&mut *tx).await?.rows_affected() == 1 {
        store::note(tx, id, status, by, UNSUBSCRIBED).await?;
    }
    Ok(())
}

/// For every ticket of the order that was handed to the same address: one person hears one thing once.
async fn end_for_holder(
    app: &App,
    transfer: TransferRow,
    token: &str,
) -> Result<UnsubscribeResponse, Error> {
    if !app.ticket_unsubscribe_secret_is_right(&transfer, token) {
        return Err(Error::OrderNotFound);
    }
    let write = app.db.run(transfer, |tx, transfer| {
        Box::pin(async move {
            saga::order_status(tx, transfer.order_id.into()).await?;
            sqlx::query!(
                "UPDATE ticket_transfers SET notices = false
                 WHERE order_id = $1 AND notices AND (id = $2 OR lower(email) = $3)",
                transfer.order_id,
                transfer.id,
                transfer.email.to_lowercase(),
            )
            .execute(tx)
            .await?;
            Ok::<_, Error>(())
        })
    });
    write.await?;
    Ok(UnsubscribeResponse {})
}
