use axum::{Json as Answer, extract::State};
use base::OrderId;
use proto::payment::EraseGuestRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json},
    problem::{Problem, ProblemBody},
    rest::problems::{Absent, AdminOnly, BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// Every order of the same address, not only this one.
    #[serde(default)]
    all_of_address: bool,
    /// For the audit log: up to 500 characters, and nothing about the guest.
    #[serde(default)]
    #[schema(example = "Asked for in writing.")]
    note: String,
}

#[derive(Serialize, ToSchema)]
pub struct ErasedOrders {
    /// Whose guest is not known any more.
    order_ids: Vec<String>,
}

/// Erases who the guest of an order is; what was sold, paid and refunded stays. For superadmins.
///
/// Address, name and number go, here and from every mail; the order's links are dead. It cannot be
/// undone. Repeating it changes nothing.
#[utoipa::path(post, path = "/api/v1/admin/orders/{id}/erase-guest", tag = "admin",
    request_body = Erasure, params(("id" = String, Path, format = Uuid)),
    security(("access_token" = [])),
    responses(
        (status = 200, body = ErasedOrders),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`ORDER_NOT_OPEN` while one of the orders is being paid, served or refunded"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn erase_guest(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<OrderId>,
    Json(erasure): Json<Erasure>,
) -> Result<Answer<ErasedOrders>, Problem> {
    let request = token.request(EraseGuestRequest {
        order_id: id.to_string(),
        all_of_address: erasure.all_of_address,
        note: erasure.note,
    });
    let erased = app.upstreams.orders_admin().erase_guest(request).await?;
    let order_ids = erased.into_inner().order_ids;
    Ok(Answer(ErasedOrders { order_ids }))
}
