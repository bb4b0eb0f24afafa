//! The mark of an order, without asking anybody else: for pages that look again and again.

use std::sync::Arc;

use proto::payment::{GetOrderMarkRequest, GetOrderMarkResponse};

use crate::{app::App, error::Error, mark::mark, store};

pub(in crate::rpc) async fn get_order_mark(
    app: &Arc<App>,
    request: GetOrderMarkRequest,
) -> Result<GetOrderMarkResponse, Error> {
    let order = store::load_for_guest(app, &request.order_id, &request.secret).await?;
    let read = app
        .db
        .read(order.order_id(), |conn, id| Box::pin(mark(conn, *id)));
    Ok(GetOrderMarkResponse { mark: read.await? })
}
