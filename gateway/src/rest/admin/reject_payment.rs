use axum::{Json, extract::State};
use base::OrderId;
use proto::payment::RejectPaymentRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, JsonOrEmpty},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::{Order, broken},
    },
};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// For the books: up to 500 characters.
    #[serde(default)]
    note: String,
}

/// Says that a payment which a person confirms will not come.
///
/// The order is cancelled; what had arrived is refunded.
#[utoipa::path(post, path = "/api/v1/admin/orders/{id}/reject-payment", tag = "admin",
    request_body(content = Option<Rejection>),
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = Order),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`PROVIDER_CANNOT`: another provider says so itself; `ORDER_NOT_OPEN`"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn reject_payment(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<OrderId>,
    JsonOrEmpty(rejection): JsonOrEmpty<Rejection>,
) -> Result<Json<Order>, Problem> {
    let request = token.request(RejectPaymentRequest {
        order_id: id.to_string(),
        note: rejection.note,
    });
    let mut orders = app.upstreams.orders_admin();
    let rejected = orders.reject_payment(request).await?.into_inner();
    let order = rejected.order.ok_or_else(|| broken("order"))?;
    Ok(Json(order.try_into()?))
}
