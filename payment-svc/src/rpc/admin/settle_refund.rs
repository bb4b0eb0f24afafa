//! A person has paid the money out, because no provider would or could.

use std::sync::Arc;

use base::bounded_multiline;
use kit::FieldProblem;
use proto::payment::{SettleRefundRequest, SettleRefundResponse};
use serde_json::json;
use tonic::Request;

use super::sight::Caller;
use crate::{
    app::App,
    error::Error,
    saga,
    store::{Audit, By},
};

const NOTE_MAX_CHARS: usize = 500;

pub(in crate::rpc) async fn settle_refund(
    app: &Arc<App>,
    request: Request<SettleRefundRequest>,
) -> Result<SettleRefundResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let refund = caller.refund(app, &request.refund_id).await?;
    let note = bounded_multiline("note", &request.note, 1, NOTE_MAX_CHARS);
    let note =
        note.map_err(|error| Error::Fields(vec![FieldProblem::new("note", error.problem)]))?;
    let audit = Audit {
        by: By::now(&caller.actor()),
        action: "refund.settle",
        object: refund.id.to_string(),
        before: json!({ "status": refund.status, "failure_reason": refund.failure_reason }),
        after: json!({ "status": "succeeded", "note": note }),
    };
    let settled = saga::settle_by_hand(app, &refund, audit).await?;
    Ok(SettleRefundResponse {
        refund: Some(settled.detail()?),
    })
}
