//! The receipt again, to the address of the order.

use std::sync::Arc;

use base::{IdempotencyKey, MessageId, derived_id};
use proto::payment::{ResendReceiptRequest, ResendReceiptResponse};

use crate::{
    app::App,
    error::Error,
    limits::{self, RESEND},
    saga::{self, ReceiptAgain},
    store::{self, By},
};

pub(in crate::rpc) async fn resend_receipt(
    app: &Arc<App>,
    request: ResendReceiptRequest,
) -> Result<ResendReceiptResponse, Error> {
    let key: IdempotencyKey = request.idempotency_key.parse()?;
    let order = store::load_for_guest(app, &request.order_id, &request.secret).await?;
    // The same key is the same message, and one message is sent once.
    let message = MessageId::from(derived_id(&format!("orders/{}/receipts", order.id), &key));
    if !saga::was_sent(app, message).await? {
        let by = By::now("guest");
        let receipt = ReceiptAgain::of(app, &order, message, by).await?;
        limits::take(app, RESEND, &order.id.to_string()).await?;
        let send = app
            .db
            .run(receipt, |tx, receipt| Box::pin(receipt.enqueue(tx)));
        send.await?;
        app.nudges.outbox.notify_one();
    }
    Ok(ResendReceiptResponse { email: order.email })
}
