use axum::{Json, extract::State};
use base::RefundId;
use proto::payment::RetryRefundRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::RefundDetail,
    },
};

/// Tries a failed refund again at once.
#[utoipa::path(post, path = "/api/v1/admin/refunds/{id}/retry", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = RefundDetail),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`REFUND_NOT_OPEN`: it has not failed"),
        AdminOnly, Absent, Faults
    ))]
pub async fn retry_refund(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<RefundId>,
) -> Result<Json<RefundDetail>, Problem> {
    let request = token.request(RetryRefundRequest {
        refund_id: id.to_string(),
    });
    let mut refunds = app.upstreams.refunds_admin();
    let tried = refunds.retry_refund(request).await?.into_inner();
    Ok(Json(RefundDetail::required(tried.refund)?))
}
