use axum::{Json, extract::State};
use base::OrderId;
use proto::payment::InspectOrderRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::OrderStory,
    },
};

/// One order's whole story: attempts, refunds, history, what the provider said.
#[utoipa::path(get, path = "/api/v1/admin/orders/{id}", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = OrderStory), AdminOnly, Absent, Faults))]
pub async fn inspect_order(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<OrderId>,
) -> Result<Json<OrderStory>, Problem> {
    let request = token.request(InspectOrderRequest {
        order_id: id.to_string(),
    });
    let mut orders = app.upstreams.orders_admin();
    let found = orders.inspect_order(request).await?.into_inner();
    Ok(Json(found.try_into()?))
}
