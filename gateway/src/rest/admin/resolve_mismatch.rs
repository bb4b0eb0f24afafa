use axum::{Json as Answer, extract::State};
use base::OrderId;
use proto::payment::ResolveMismatchRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::{MismatchDecision, Order, broken},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    decision: MismatchDecision,
    /// For the history: up to 500 characters.
    #[serde(default)]
    note: String,
}

/// Decides about an order whose payment differs from what was asked.
#[utoipa::path(post, path = "/api/v1/admin/orders/{id}/resolve-mismatch", tag = "admin",
    request_body = Resolution,
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = Order),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`ORDER_NOT_OPEN`: the order is not in `mismatch`, or money came and cannot be ignored"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn resolve_mismatch(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<OrderId>,
    Json(resolution): Json<Resolution>,
) -> Result<Answer<Order>, Problem> {
    let request = token.request(ResolveMismatchRequest {
        order_id: id.to_string(),
        decision: resolution.decision.number(),
        note: resolution.note,
    });
    let mut orders = app.upstreams.orders_admin();
    let resolved = orders.resolve_mismatch(request).await?.into_inner();
    let order = resolved.order.ok_or_else(|| broken("order"))?;
    Ok(Answer(order.try_into()?))
}
