//! The stored facts that receipt, tickets and calendar are rendered from.

use std::sync::Arc;

use proto::payment::{GetReceiptRequest, GetReceiptResponse};

use crate::{app::App, error::Error, saga, store};

pub(in crate::rpc) async fn get_receipt(
    app: &Arc<App>,
    request: GetReceiptRequest,
) -> Result<GetReceiptResponse, Error> {
    let order = store::load_for_guest(app, &request.order_id, &request.secret).await?;
    let facts = if request.money_only {
        saga::money_facts(app, &order).await?
    } else {
        saga::receipt_facts(app, &order).await?
    };
    Ok(GetReceiptResponse { facts: Some(facts) })
}
