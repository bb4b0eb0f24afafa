use axum::{Json, extract::State};
use base::OrderId;
use http::StatusCode;
use proto::payment::StartPaymentRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Access, JsonOrEmpty, Key},
    network::Asker,
    problem::{Problem, ProblemBody},
    rates::may_wait,
    rest::{
        problems::{BadBody, Faults, Secret},
        types::{Order, broken},
    },
};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPayment {
    /// A payment provider; that of the try before where it is left out.
    #[serde(default)]
    #[schema(example = "sandbox")]
    pub provider: Option<String>,
}

/// Another try to pay, after a decline.
#[utoipa::path(post, path = "/api/v1/orders/{id}/payments", tag = "guest",
    request_body(content = Option<NewPayment>),
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent"),
    ),
    security(("guest_secret" = [])),
    responses(
        (status = 201, body = Order),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`PAYMENT_IN_PROGRESS` while one is open, `ORDER_NOT_OPEN` once the order has ended, `HOLD_EXPIRED`"),
        BadBody, Secret, Faults
    ))]
pub async fn start_payment(
    State(app): State<Shared>,
    asker: Asker,
    access: Access<OrderId>,
    Key(key): Key,
    JsonOrEmpty(new): JsonOrEmpty<NewPayment>,
) -> Result<(StatusCode, Json<Order>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(start(&app, asker, (access, new), key.as_str()).await?),
    ))
}

/// Within what one network may leave unpaid.
pub async fn start(
    app: &App,
    asker: Asker,
    (access, new): (Access<OrderId>, NewPayment),
    key: &str,
) -> Result<Order, Problem> {
    let request = StartPaymentRequest {
        order_id: access.id.to_string(),
        secret: access.secret,
        provider: new.provider.unwrap_or_default(),
        idempotency_key: key.to_owned(),
    };
    let may_wait = may_wait(&request.provider);
    let starts = payment(app, request);
    if !may_wait {
        return starts.await;
    }
    let asked = (asker.network, key);
    let reserving = app.rates.reserving(asked, starts, |order| order);
    reserving.await
}

async fn payment(app: &App, request: StartPaymentRequest) -> Result<Order, Problem> {
    let started = app
        .upstreams
        .orders()
        .start_payment(request)
        .await?
        .into_inner();
    let mut order: Order = started.order.ok_or_else(|| broken("order"))?.try_into()?;
    if started.preparing {
        order.mark_preparing();
    }
    Ok(order)
}
