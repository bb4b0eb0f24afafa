use axum::{Json, extract::State};
use proto::payment::{ListOrdersRequest, OrderStatus as Contract};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{AdminOnly, BadQuery, Faults},
        types::{OrderStatus, OrderSummary, all, wanted},
    },
};

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Every concert that the caller may see where it is left out.
    event_id: String,
    #[param(value_type = Option<OrderStatus>)]
    status: String,
    /// An address, exactly.
    email: String,
    /// A number, an id, a payment reference, the beginning of a name or an address, or six and more digits
    /// at the end of a phone number.
    query: String,
    /// True lists only what needs a person.
    needs_attention: bool,
    /// 1 to 100; 20 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

#[derive(Serialize, ToSchema)]
pub struct OrderPage {
    orders: Vec<OrderSummary>,
    /// Empty on the last page.
    next_page_token: String,
}

/// The orders of the caller's concerts, newest first.
#[utoipa::path(get, path = "/api/v1/admin/orders", tag = "admin", params(Search),
    security(("access_token" = [])),
    responses((status = 200, body = OrderPage), AdminOnly, BadQuery, Faults))]
pub async fn list_orders(
    State(app): State<Shared>,
    token: AdminToken,
    Query(search): Query<Search>,
) -> Result<Json<OrderPage>, Problem> {
    let request = token.request(ListOrdersRequest {
        status: wanted(&search.status, "ORDER_STATUS_", Contract::from_str_name)?,
        event_id: search.event_id,
        email: search.email,
        query: search.query,
        needs_attention: search.needs_attention,
        page_size: search.page_size,
        page_token: search.page_token,
    });
    let mut orders = app.upstreams.orders_admin();
    let found = orders.list_orders(request).await?.into_inner();
    Ok(Json(OrderPage {
        orders: all(found.orders)?,
        next_page_token: found.next_page_token,
    }))
}
