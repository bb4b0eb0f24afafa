//! A guest cancels a paid order by the rule of its event: the tickets are void, and exactly what they were
//! shown goes back.

use base::{Money, OrderId, RefundId};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    send_back::{NewRefund, Voids, order_status, send_back},
    send_back_all::refund_names,
    void_tickets::void_free_tickets,
};
use crate::{
    app::App,
    cancellation::{Offer, offer},
    domain::{refund_state::RefundReason, timeline::GUEST_CANCELLED},
    error::Error,
    store::{self, Audit, By},
};

/// In the record: a guest cancels their order, paid or not.
pub(crate) const GUEST_CANCELS: &str = "order.cancel";

struct Cancelling {
    order: OrderId,
    expected: Money,
    names: Vec<(Uuid, RefundId)>,
    by: By,
}

/// Error::CancellationClosed where it is not offered (any more), Error::RefundChanged where another
/// amount would go back. Once it is done a repeat changes nothing.
pub(crate) async fn cancel_by_guest(
    app: &App,
    order: OrderId,
    expected: Money,
    by: By,
) -> Result<(), Error> {
    let cancelling = Cancelling {
        order,
        expected,
        names: refund_names(app, order).await?,
        by,
    };
    let free = expected.amount_minor == 0 && is_free(app, order).await?;
    let record = app.db.run(cancelling, |tx, cancelling| {
        Box::pin(record(tx, cancelling))
    });
    record.await?;
    if free {
        // No refund will do it. From now on nobody can be handed one of the tickets; a repeat, after a
        // crash, makes them void as well.
        void_free_tickets(app, order).await?;
    }
    kit::failpoint!("payment.cancelled_by_guest");
    app.nudges.refunds.notify_one();
    Ok(())
}

async fn is_free(app: &App, order: OrderId) -> Result<bool, Error> {
    let (row, _) = store::load(app, order).await?;
    Ok(row.total_amount_minor == 0)
}

async fn record(tx: &mut PgConnection, cancelling: &Cancelling) -> Result<(), Error> {
    let status = order_status(tx, cancelling.order).await?;
    if was_cancelled_by_guest(tx, cancelling.order).await? {
        return Ok(());
    }
    let order = store::find_order(tx, cancelling.order).await?;
    let order = order.ok_or(Error::OrderNotFound)?;
    let offer = offer(tx, &order).await?.ok_or(Error::CancellationClosed)?;
    same(&offer, cancelling.expected, &order.currency)?;
    for (attempt, amount_minor) in &offer.parts {
        let name = cancelling.names.iter().find(|(id, _)| id == attempt);
        let (_, id) = name.ok_or(Error::RefundChanged(offer.refund_minor))?;
        let refund = NewRefund {
            id: *id,
            order: cancelling.order,
            attempt: *attempt,
            amount_minor: *amount_minor,
            reason: RefundReason::GuestCancelled,
            note: String::new(),
            voids: Voids::All,
            body_hash: None,
            by: cancelling.by.clone(),
        };
        if !send_back(tx, &refund).await? {
            return Err(Error::Broken("a guest's refund was there already"));
        }
    }
    let audit = Audit {
        by: cancelling.by.clone(),
        action: GUEST_CANCELS,
        object: cancelling.order.to_string(),
        before: json!({"status": status.word()}),
        after: json!({"refund_minor": offer.refund_minor, "currency": order.currency}),
    };
    store::audit(tx, &audit).await?;
    store::note(
        tx,
        cancelling.order,
        status,
        &cancelling.by,
        GUEST_CANCELLED,
    )
    .await?;
    Ok(())
}

/// No surprise: what the guest saw is what goes back.
fn same(offer: &Offer, expected: Money, currency: &str) -> Result<(), Error> {
    if (expected.amount_minor, expected.currency.code()) == (offer.refund_minor, currency) {
        Ok(())
    } else {
        Err(Error::RefundChanged(offer.refund_minor))
    }
}

pub(crate) async fn was_cancelled_by_guest(
    tx: &mut PgConnection,
    order: OrderId,
) -> Result<bool, Error> {
    let done = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM order_events WHERE order_id = $1 AND reason = $2) AS "done!""#,
        order.uuid(),
        GUEST_CANCELLED,
    );
    Ok(done.fetch_one(tx).await?)
}
