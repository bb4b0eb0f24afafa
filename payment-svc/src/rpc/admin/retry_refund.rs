//! Asks the provider again now about a refund that it has said no to.

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
        before: json!({ "failures": refund.failures, "failure_reason": refund.failure_reason }),
        after: serde_json::Value::Null,
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

async fn retry(
    tx: &mut PgConnection,
    refund: &RefundRow,
    audit: &Audit,
) -> Result<RefundRow, Error> {
    saga::order_status(tx, refund.order()).await?;
    let due = sqlx::query!(
        "UPDATE refunds SET next_step_at = clock_timestamp() WHERE id = $1 AND status = $2",
        refund.id,
        RefundStatus::Failed.word(),
    );
    if due.execute(&mut *tx).await?.rows_affected() == 0 {
        return Err(Error::RefundNotOpen);
    }
    store::audit(tx, audit).await?;
    let refund = refunds::find(tx, refund.refund_id()).await?;
    refund.ok_or(Error::NotFound("refund"))
}
