use axum::{Json, extract::State};
use base::OrderId;
use proto::payment::CancelOrderRequest;

use crate::{
    app::{App, Shared},
    extract::{Access, Key},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{BadKey, Faults, Secret},
        types::{Order, broken},
    },
};

/// Ends an order that is not paid and gives its tickets back.
///
/// A payment that arrived first wins: the answer is then the paid order.
#[utoipa::path(post, path = "/api/v1/orders/{id}/cancel", tag = "guest",
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent"),
    ),
    security(("guest_secret" = [])),
    responses(
        (status = 200, body = Order),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`ORDER_NOT_OPEN` once the order is paid"),
        BadKey, Secret, Faults
    ))]
pub async fn cancel_order(
    State(app): State<Shared>,
    access: Access<OrderId>,
    // Cancelling is idempotent by the order itself; the key is asked for as at every guest's POST.
    _: Key,
) -> Result<Json<Order>, Problem> {
    Ok(Json(cancel(&app, access).await?))
}

pub async fn cancel(app: &App, access: Access<OrderId>) -> Result<Order, Problem> {
    let request = CancelOrderRequest {
        order_id: access.id.to_string(),
        secret: access.secret,
    };
    let cancelled = app
        .upstreams
        .orders()
        .cancel_order(request)
        .await?
        .into_inner();
    Ok(cancelled.order.ok_or_else(|| broken("order"))?.try_into()?)
}
