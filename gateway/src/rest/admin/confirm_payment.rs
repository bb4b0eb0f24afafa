use axum::{Json, extract::State};
use base::OrderId;
use proto::payment::ConfirmPaymentRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, JsonOrEmpty, Key, Object},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::{Money, Order, broken},
    },
};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// What arrived; exactly the balance where it is left out.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    amount: Option<Object<Money>>,
    /// For the books: up to 500 characters.
    #[serde(default)]
    note: String,
}

/// Says that money has arrived for a payment that a person confirms.
///
/// Less than the balance leaves the order waiting; of more, the difference is refunded. The same
/// `Idempotency-Key` is one arrival.
#[utoipa::path(post, path = "/api/v1/admin/orders/{id}/confirm-payment", tag = "admin",
    request_body(content = Option<Arrival>),
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each arrival"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, body = Order),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`PROVIDER_CANNOT`: another provider says so itself; `ORDER_NOT_OPEN`"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn confirm_payment(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<OrderId>,
    Key(key): Key,
    JsonOrEmpty(arrival): JsonOrEmpty<Arrival>,
) -> Result<Json<Order>, Problem> {
    let request = token.request(ConfirmPaymentRequest {
        order_id: id.to_string(),
        amount: arrival.amount.map(|Object(amount)| amount.into()),
        note: arrival.note,
        idempotency_key: key.as_str().to_owned(),
    });
    let mut orders = app.upstreams.orders_admin();
    let confirmed = orders.confirm_payment(request).await?.into_inner();
    let order = confirmed.order.ok_or_else(|| broken("order"))?;
    Ok(Json(order.try_into()?))
}
