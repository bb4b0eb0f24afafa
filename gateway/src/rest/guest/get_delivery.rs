use axum::{Json, extract::State};
use base::OrderId;
use proto::{notify::GetDeliveryRequest, payment::GetOrderMarkRequest};
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::Access,
    problem::Problem,
    rest::{
        problems::{Faults, Secret},
        types::{DeliveryState, optional_time},
    },
};

/// How the newest receipt of an order fares on its way to the guest.
#[derive(Serialize, ToSchema)]
pub struct Delivery {
    pub state: DeliveryState,
    /// Since when; null for `none` and `waiting`.
    #[serde(with = "rfc3339::option")]
    pub at: Option<OffsetDateTime>,
}

/// Whether the receipt could be mailed.
#[utoipa::path(get, path = "/api/v1/orders/{id}/delivery", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses((status = 200, body = Delivery), Secret, Faults))]
pub async fn get_delivery(
    State(app): State<Shared>,
    access: Access<OrderId>,
) -> Result<Json<Delivery>, Problem> {
    // Who asks has to prove the order first, where its secret is known.
    let proof = GetOrderMarkRequest {
        order_id: access.id.to_string(),
        secret: access.secret,
    };
    app.upstreams.desk().get_order_mark(proof).await?;
    Ok(Json(fetch(&app, &access.id.to_string()).await?))
}

/// For who has proved the order already.
pub async fn fetch(app: &App, order_id: &str) -> Result<Delivery, Problem> {
    let request = GetDeliveryRequest {
        order_id: order_id.to_owned(),
    };
    let found = app.upstreams.deliveries().get_delivery(request).await?;
    let found = found.into_inner();
    Ok(Delivery {
        state: DeliveryState::of(found.state)?,
        at: optional_time(found.at.as_ref())?,
    })
}
