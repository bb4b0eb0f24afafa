//! A person decides about an order in `mismatch`: what came counts as the payment, or goes back.

use base::{OrderId, RefundId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    capture::paid_by,
    send_back_all::{refund_names, send_back_all, send_back_but},
    settle::Locked,
};
use crate::{
    app::App,
    domain::{order_state::OrderStatus, refund_state::RefundReason},
    error::Error,
    store::{self, Audit},
};

const ACCEPTED: &str = "mismatch_accepted";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Sell as if the right amount had come.
    Accept,
    /// Send back what came. The order is refunded once that is done.
    Refund,
}

struct Resolution {
    order: OrderId,
    decision: Decision,
    names: Vec<(Uuid, RefundId)>,
    audit: Audit,
}

/// Error::OrderNotOpen where nothing waits for a decision, Error::OrderNotPaid where no money is here.
pub(crate) async fn resolve(
    app: &App,
    order: OrderId,
    decision: Decision,
    audit: Audit,
) -> Result<(), Error> {
    let resolution = Resolution {
        order,
        decision,
        names: refund_names(app, order).await?,
        audit,
    };
    let record = app.db.run(resolution, |tx, resolution| {
        Box::pin(record(tx, resolution))
    });
    record.await?;
    app.nudges.orders.notify_one();
    app.nudges.refunds.notify_one();
    Ok(())
}

async fn record(tx: &mut PgConnection, resolution: &Resolution) -> Result<(), Error> {
    let order = Locked::read(tx, resolution.order).await?;
    let attempts = store::attempts(tx, order.id).await?;
    let paid = attempts.iter().find(|attempt| attempt.left_minor() > 0);
    let captured = attempts.iter().any(|attempt| attempt.captured_minor > 0);
    let by = &resolution.audit.by;
    match (resolution.decision, order.status, paid) {
        (Decision::Accept, OrderStatus::Mismatch, Some(attempt)) => {
            store::advance(tx, &order.to(OrderStatus::Paid, by, ACCEPTED)).await?;
            paid_by(tx, order, attempt).await?;
            // What came beside it was paid for nothing.
            let (money, kept) = ((order.id, &resolution.names[..]), Some(attempt.id));
            send_back_but(tx, money, kept, RefundReason::SecondPayment, by).await?;
        }
        (Decision::Refund, OrderStatus::Mismatch, Some(_)) => {
            let money = (order.id, &resolution.names[..]);
            if !send_back_all(tx, money, RefundReason::Mismatch, by).await? {
                // It went back once and failed for good: that refund is the one to settle.
                return Err(Error::RefundNotOpen);
            }
        }
        // The same decision once more.
        (Decision::Refund, OrderStatus::Mismatch, None) if captured => return Ok(()),
        (Decision::Accept, _, _) if was_accepted(tx, order.id).await? => return Ok(()),
        (_, OrderStatus::Mismatch, None) => return Err(Error::OrderNotPaid),
        _ => return Err(Error::OrderNotOpen),
    }
    store::audit(tx, &resolution.audit).await?;
    store::clear_attention(tx, order.id).await?;
    Ok(())
}

async fn was_accepted(tx: &mut PgConnection, order: OrderId) -> Result<bool, Error> {
    let accepted = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM order_events WHERE order_id = $1 AND reason = $2) AS "accepted!""#,
        order.uuid(),
        ACCEPTED,
    );
    Ok(accepted.fetch_one(tx).await?)
}
