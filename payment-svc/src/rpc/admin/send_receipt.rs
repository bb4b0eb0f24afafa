//! The receipt again because an admin asks for it, with the tickets as they are now: after their codes were revoked, or
//! the address was corrected, a copy of an old mail is of no use.

use std::sync::Arc;

use base::{IdempotencyKey, MessageId, derived_id};
use proto::payment::{SendReceiptRequest, SendReceiptResponse};
use serde_json::{Value, json};
use tonic::Request;

use super::sight::Caller;
use crate::{
    app::App,
    error::Error,
    saga::{self, ReceiptAgain},
    store::{self, Audit, By},
};

pub(in crate::rpc) async fn send_receipt(
    app: &Arc<App>,
    request: Request<SendReceiptRequest>,
) -> Result<SendReceiptResponse, Error> {
    let caller = Caller::of(&request)?;
    let SendReceiptRequest {
        order_id,
        idempotency_key,
    } = request.into_inner();
    let key: IdempotencyKey = idempotency_key.parse()?;
    let order = caller.order(app, &order_id).await?;
    if order.erased {
        return Err(Error::TicketsNotReady);
    }
    let route = format!("admin/orders/{}/receipts", order.id);
    let message = MessageId::from(derived_id(&route, &key));
    if !saga::was_sent(app, message).await? {
        let by = By::now(&caller.actor());
        let receipt = ReceiptAgain::of(app, &order, message, by.clone()).await?;
        let audit = Audit {
            by,
            action: "receipt.send",
            object: order.id.to_string(),
            before: Value::Null,
            after: json!({ "message_id": message.to_string() }),
        };
        let send = app.db.run((receipt, audit), |tx, (receipt, audit)| {
            Box::pin(async move {
                if receipt.enqueue(tx).await? {
                    store::audit(tx, audit).await?;
                }
                Ok::<_, Error>(())
            })
        });
        send.await?;
        app.nudges.outbox.notify_one();
    }
    Ok(SendReceiptResponse { email: order.email })
}
