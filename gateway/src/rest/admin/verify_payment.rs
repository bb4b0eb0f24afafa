use axum::{Json, extract::State};
use base::OrderId;
use proto::payment::VerifyPaymentRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::{Order, broken},
    },
};

/// Asks the provider now how the newest payment stands, and applies its answer.
#[utoipa::path(post, path = "/api/v1/admin/orders/{id}/verify-payment", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = Order),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`PROVIDER_CANNOT`: a person confirms these payments"),
        AdminOnly, Absent, Faults
    ))]
pub async fn verify_payment(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<OrderId>,
) -> Result<Json<Order>, Problem> {
    let request = token.request(VerifyPaymentRequest {
        order_id: id.to_string(),
    });
    let mut orders = app.upstreams.orders_admin();
    let verified = orders.verify_payment(request).await?.into_inner();
    let order = verified.order.ok_or_else(|| broken("order"))?;
    Ok(Json(order.try_into()?))
}
