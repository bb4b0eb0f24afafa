//! Whatever is left of an order's money goes back, payment by payment.

use base::{OrderId, RefundId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::send_back::{NewRefund, Voids, send_back};
use crate::{
    app::App,
    domain::refund_state::RefundReason,
    error::Error,
    store::{self, By},
};

/// A name for a refund of each payment of an order, made before the transaction that may need it.
pub(super) async fn refund_names(
    app: &App,
    order: OrderId,
) -> Result<Vec<(Uuid, RefundId)>, Error> {
    let attempts = app
        .db
        .read(order, |conn, order| Box::pin(store::attempts(conn, *order)));
    let name = |id: Uuid| (id, RefundId::new(&app.sources));
    let attempts = attempts.await?;
    Ok(attempts
        .into_iter()
        .map(|attempt| name(attempt.id))
        .collect())
}

/// Sends back all that is here. The caller has locked the order, and nothing was sold for it. False if
/// there was nothing.
pub(super) async fn send_back_all(
    tx: &mut PgConnection,
    money: (OrderId, &[(Uuid, RefundId)]),
    reason: RefundReason,
    by: &By,
) -> Result<bool, Error> {
    send_back_but(tx, money, None, reason, by).await
}

/// Like `send_back_all`, without the payment that the order was sold for.
pub(super) async fn send_back_but(
    tx: &mut PgConnection,
    (order, names): (OrderId, &[(Uuid, RefundId)]),
    kept: Option<Uuid>,
    reason: RefundReason,
    by: &By,
) -> Result<bool, Error> {
    let mut any = false;
    for attempt in store::attempts(tx, order).await? {
        let name = names.iter().find(|(id, _)| *id == attempt.id);
        let Some((_, id)) = name.filter(|_| attempt.left_minor() > 0 && kept != Some(attempt.id))
        else {
            continue;
        };
        let refund = NewRefund {
            id: *id,
            order,
            attempt: attempt.id,
            amount_minor: attempt.left_minor(),
            reason,
            note: String::new(),
            voids: Voids::None,
            body_hash: None,
            by: by.clone(),
        };
        any |= send_back(tx, &refund).await?;
    }
    Ok(any)
}
