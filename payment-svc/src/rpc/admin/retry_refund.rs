//! Asks the provider again now about a refund that it has said no to, even for good: what kept it may
//! have passed. Not about one whose money had left, and came back.

use std::sync::Arc;

use proto::payment::{RetryRefundRequest, RetryRefundResponse};
use serde_json::json;
use sqlx::PgConnection;
use tonic::Request;

use super::sight::Caller;
use crate::{
    app::App,
    domain::refund_state::RefundStatus,
    error::Error,
    refunds::{self, RefundRow},
    saga,
    store::{self, Audit, By},
};

pub(in crate::rpc) async fn retry_refund(
    app: &Arc<App>,
    request: Request<RetryRefundRequest>,
) -> Result<RetryRefundResponse, Error> {
    let caller = Caller::of(&request)?;
    let refund = caller.refund(app, &request.get_ref().refund_id).await?;
    let audit = Audit {
        by: By::now(&caller.actor()),
        action: "refund.retry",
        object: refund.id.to_string(),
        before: json!({
            "status": refund.status,
            "amount_minor": refund.amount_minor,
            "currency": refund.currency,
            "failures": refund.failures,
            "failure_reason": refund.failure_reason,
        }),
        after: json!({ "status": RefundStatus::Failed.word() }),
    };
    let retry = app.db.run((refund, audit), |tx, (refund, audit)| {
        Box::pin(retry(tx, refund, audit))
    });
    let refund = retry.await?;
    app.nudges.refunds.notify_one();
    Ok(RetryRefundResponse {
        refund: Some(refund.detail()?),
    })
}

/// Error::RefundTooLarge if the money went another way.
async fn retry(
    tx: &mut PgConnection,
    refund: &RefundRow,
    audit: &Audit,
) -> Result<RefundRow, Error> {
    saga::order_status(tx, refund.order()).await?;
    let due = sqlx::query!(
        "UPDATE refunds
         SET status = $2, next_step_at = clock_timestamp(), ended_at = NULL, provider_ref = NULL,
             checks = 0
         WHERE id = $1 AND submitted_at IS NOT NULL AND paid_out_at IS NULL AND status IN ($2, $3)",
        refund.id,
        RefundStatus::Failed.word(),
        RefundStatus::FailedFinal.word(),
    );
    let due = due.execute(&mut *tx).await.map_err(saga::too_large)?;
    if due.rows_affected() == 0 {
        return Err(Error::RefundNotOpen);
    }
    store::refresh_attention(tx, refund.order()).await?;
    store::audit(tx, audit).await?;
    let refund = refunds::find(tx, refund.refund_id()).await?;
    refund.ok_or(Error::NotFound("refund"))
}
