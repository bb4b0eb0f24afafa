use axum::{Json, extract::State};
use base::OrderId;
use proto::payment::GetOrderRequest;

use crate::{
    app::{App, Shared},
    extract::Access,
    problem::Problem,
    rest::{
        problems::{Faults, Secret},
        types::{Order, broken},
    },
};

/// One order: its status, tickets and story.
///
/// The secret comes as a bearer token, or as the cookie that the order's `link` sets.
#[utoipa::path(get, path = "/api/v1/orders/{id}", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses((status = 200, body = Order), Secret, Faults))]
pub async fn get_order(
    State(app): State<Shared>,
    access: Access<OrderId>,
) -> Result<Json<Order>, Problem> {
    Ok(Json(fetch(&app, &access, false).await?))
}

/// With `refresh`, an open payment is asked about at its provider first.
pub async fn fetch(app: &App, access: &Access<OrderId>, refresh: bool) -> Result<Order, Problem> {
    let request = GetOrderRequest {
        order_id: access.id.to_string(),
        secret: access.secret.clone(),
        refresh,
    };
    let found = app
        .upstreams
        .orders()
        .get_order(request)
        .await?
        .into_inner();
    Ok(found.order.ok_or_else(|| broken("order"))?.try_into()?)
}
