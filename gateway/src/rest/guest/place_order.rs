use axum::{Json as Answer, extract::State};
use http::StatusCode;
use proto::payment::{PlaceOrderRequest, PlaceOrderResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Json, Key, Object},
    network::Asker,
    problem::{Problem, ProblemBody},
    rates::may_wait,
    rest::{
        problems::{BadBody, Faults},
        types::{Money, Order, PlacedOrder, broken},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    pub hold_id: String,
    pub hold_secret: String,
    /// Where the receipt goes.
    #[schema(format = Email)]
    pub email: String,
    #[schema(example = "+49 30 123456")]
    pub phone_number: String,
    /// Up to 200 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// The total the guest saw; another one is charged to nobody.
    #[schema(value_type = Money)]
    pub expected_total: Object<Money>,
    /// A payment provider; the default where it is left out.
    #[serde(default)]
    #[schema(example = "sandbox")]
    pub provider: Option<String>,
    /// The language of messages, a BCP 47 tag.
    #[serde(default)]
    #[schema(example = "en")]
    pub locale: Option<String>,
    /// `version` of `GET /api/v1/terms`, which the guest accepts; needed where there are terms.
    #[serde(default)]
    pub accepted_terms: Option<String>,
}

/// Records the order and opens the payment.
///
/// The guest pays at `payment.checkout_url`. If the provider takes longer than 5 seconds, the
/// payment's status is `preparing` and the address follows on the order.
#[utoipa::path(post, path = "/api/v1/orders", tag = "guest", request_body = NewOrder,
    params(("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent")),
    responses(
        (status = 201, body = PlacedOrder),
        (status = 404, body = ProblemBody, content_type = "application/problem+json",
         description = "`NOT_FOUND`: no such hold, or another secret"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`HOLD_EXPIRED`, `TOTAL_CHANGED`, `LIMIT_EXCEEDED`, `PAYMENT_IN_PROGRESS`, `TERMS_NOT_ACCEPTED`"),
        BadBody, Faults
    ))]
pub async fn place_order(
    State(app): State<Shared>,
    asker: Asker,
    Key(key): Key,
    Json(new): Json<NewOrder>,
) -> Result<(StatusCode, Answer<PlacedOrder>), Problem> {
    let placed = place(&app, asker, new, key.as_str()).await?;
    Ok((StatusCode::CREATED, Answer(placed)))
}

/// Within what one network may leave unpaid.
pub async fn place(
    app: &App,
    asker: Asker,
    new: NewOrder,
    key: &str,
) -> Result<PlacedOrder, Problem> {
    let is_free = new.expected_total.0.amount_minor == 0;
    let request = PlaceOrderRequest {
        hold_id: new.hold_id,
        hold_secret: new.hold_secret,
        email: new.email,
        phone_number: new.phone_number,
        name: new.name.unwrap_or_default(),
        expected_total: Some(new.expected_total.0.into()),
        provider: new.provider.unwrap_or_default(),
        locale: new.locale.unwrap_or_default(),
        idempotency_key: key.to_owned(),
        accepted_terms: new.accepted_terms.unwrap_or_default(),
    };
    let may_wait = !is_free && may_wait(&request.provider);
    let places = order(app, request);
    if !may_wait {
        return places.await;
    }
    let asked = (asker.network, key);
    let reserving = app.rates.reserving(asked, places, |placed| &placed.order);
    reserving.await
}

async fn order(app: &App, request: PlaceOrderRequest) -> Result<PlacedOrder, Problem> {
    let (email, key) = (request.email.clone(), request.idempotency_key.clone());
    let PlaceOrderResponse {
        order,
        secret,
        preparing,
        purchase_proof,
    } = app
        .rates
        .mailing((&email, &key), async {
            let placed = app.upstreams.orders().place_order(request).await?;
            Ok(placed.into_inner())
        })
        .await?;
    let mut order: Order = order.ok_or_else(|| broken("order"))?.try_into()?;
    if preparing {
        order.mark_preparing();
    }
    app.lanes.remember(&order.id, &secret);
    let link = app.public_url.join(&format!("/o/{}/{secret}", order.id));
    Ok(PlacedOrder {
        order,
        secret,
        purchase_proof,
        link,
    })
}
