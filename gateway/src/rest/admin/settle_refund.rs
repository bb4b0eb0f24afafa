use axum::{Json as Answer, extract::State};
use base::RefundId;
use proto::payment::SettleRefundRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::RefundDetail,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// How it was paid out: 1 to 500 characters.
    #[schema(example = "Transferred on 2 June")]
    note: String,
}

/// Says that a person has paid out what the provider would not, or what no provider could.
#[utoipa::path(post, path = "/api/v1/admin/refunds/{id}/settle", tag = "admin",
    request_body = Settlement,
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = RefundDetail),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`REFUND_NOT_OPEN` while the provider may still do it; `REFUND_TOO_LARGE` if the money went another way meanwhile"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn settle_refund(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<RefundId>,
    Json(settlement): Json<Settlement>,
) -> Result<Answer<RefundDetail>, Problem> {
    let request = token.request(SettleRefundRequest {
        refund_id: id.to_string(),
        note: settlement.note,
    });
    let mut refunds = app.upstreams.refunds_admin();
    let settled = refunds.settle_refund(request).await?.into_inner();
    Ok(Answer(RefundDetail::required(settled.refund)?))
}
