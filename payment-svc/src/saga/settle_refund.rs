//! A person says that they have paid a refund out.

use sqlx::PgConnection;

use super::{
    advance_refund::{locked, pay_out},
    announce::Announcement,
    send_back::order_status,
};
use crate::{
    app::App,
    domain::refund_state::RefundStatus,
    error::Error,
    refunds::{self, RefundRow},
    store::{self, Audit},
};

/// A person has paid out what no provider would; said again, it stands as it does. Error::RefundNotOpen
/// while a provider still may, or where tickets would have had to be void first; Error::RefundTooLarge if
/// the money went another way.
pub(crate) async fn settle_by_hand(
    app: &App,
    refund: &RefundRow,
    audit: Audit,
) -> Result<RefundRow, Error> {
    let announcement = Announcement::of(app, refund.order()).await?;
    let input = (refund.clone(), announcement, audit);
    let settle = app.db.run(input, |tx, (refund, announcement, audit)| {
        Box::pin(async move {
            order_status(tx, refund.order()).await?;
            let refund = locked(tx, refund).await?;
            let refund = refund.ok_or(Error::NotFound("refund"))?;
            if refund.status()?.is_paid_out() && was_settled(tx, audit).await? {
                return Ok(refund);
            }
            let is_left = refund.status()? == RefundStatus::FailedFinal;
            if !(is_left || refund.waits_for_a_person()) || refund.has_tickets_to_void() {
                return Err(Error::RefundNotOpen);
            }
            pay_out(tx, &refund, None, (announcement, &audit.by)).await?;
            store::refresh_attention(tx, refund.order()).await?;
            store::audit(tx, audit).await?;
            let settled = refunds::find(tx, refund.refund_id()).await?;
            settled.ok_or(Error::NotFound("refund"))
        })
    });
    let settled = settle.await?;
    app.nudges.outbox.notify_one();
    Ok(settled)
}

async fn was_settled(tx: &mut PgConnection, audit: &Audit) -> Result<bool, Error> {
    let settled = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM audit_log WHERE object = $1 AND action = $2) AS "settled!""#,
        audit.object,
        audit.action,
    );
    Ok(settled.fetch_one(tx).await?)
}
