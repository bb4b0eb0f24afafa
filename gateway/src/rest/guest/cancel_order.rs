use axum::{Json as Answer, extract::State};
use base::OrderId;
use proto::payment::CancelOrderRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Access, JsonOrEmpty, Key, Object},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{BadBody, Faults, Secret},
        types::{Money, Order, broken},
    },
};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderCancellation {
    /// For a paid order: `cancellation.refund` as it was shown to the guest.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub expected_refund: Option<Object<Money>>,
}

/// Ends an order and gives its tickets back.
///
/// Before it is paid, a payment that arrived first wins: the answer is then the paid order. Afterwards
/// the concert's rule decides: `cancellation` of the order says what goes back, and exactly that does.
#[utoipa::path(post, path = "/api/v1/orders/{id}/cancel", tag = "guest",
    request_body(content = Option<OrderCancellation>),
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent"),
    ),
    security(("guest_secret" = [])),
    responses(
        (status = 200, body = Order),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`ORDER_NOT_OPEN` for a paid order without `expected_refund`, `CANCELLATION_CLOSED`, `TOTAL_CHANGED`"),
        BadBody, Secret, Faults
    ))]
pub async fn cancel_order(
    State(app): State<Shared>,
    access: Access<OrderId>,
    // Cancelling is idempotent by the order itself; the key is asked for as at every guest's POST.
    _: Key,
    JsonOrEmpty(wish): JsonOrEmpty<OrderCancellation>,
) -> Result<Answer<Order>, Problem> {
    Ok(Answer(cancel(&app, access, wish).await?))
}

pub async fn cancel(
    app: &App,
    access: Access<OrderId>,
    wish: OrderCancellation,
) -> Result<Order, Problem> {
    let request = CancelOrderRequest {
        order_id: access.id.to_string(),
        secret: access.secret,
        expected_refund: wish.expected_refund.map(|Object(money)| money.into()),
    };
    let cancelled = app
        .upstreams
        .orders()
        .cancel_order(request)
        .await?
        .into_inner();
    Ok(cancelled.order.ok_or_else(|| broken("order"))?.try_into()?)
}
