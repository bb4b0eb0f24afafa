//! One click ends every message about an order but its receipts.

use std::sync::Arc;

use base::OrderId;
use proto::payment::{UnsubscribeRequest, UnsubscribeResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    error::Error,
    saga,
    store::{self, By},
};

const UNSUBSCRIBED: &str = "unsubscribed";

pub(in crate::rpc) async fn unsubscribe(
    app: &Arc<App>,
    request: UnsubscribeRequest,
) -> Result<UnsubscribeResponse, Error> {
    let id: OrderId = request.order_id.parse().map_err(|_| Error::OrderNotFound)?;
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
