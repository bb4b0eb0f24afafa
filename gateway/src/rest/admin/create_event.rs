use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use proto::ticket::CreateEventRequest;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::version::etag;
use crate::{
    app::Shared,
    extract::{AdminToken, Json, Object, OptionalKey},
    problem::Problem,
    rest::{
        problems::{AdminOnly, BadBody, Faults},
        types::{AdminEvent, CancellationRule, Fee, Seller, WritableEventStatus, moment},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// 1 to 200 characters.
    title: String,
    /// Up to 10,000 characters.
    #[serde(default)]
    description: String,
    /// 1 to 200 characters.
    location: String,
    #[serde(deserialize_with = "moment::deserialize")]
    date_time: OffsetDateTime,
    /// An IANA name.
    #[schema(example = "Europe/Berlin")]
    timezone: String,
    /// ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// `inactive` where it is left out.
    #[serde(default)]
    status: Option<WritableEventStatus>,
    /// What guests may pay with, the preferred one first; every enabled one where it is left out.
    #[serde(default)]
    #[schema(example = json!(["sandbox"]))]
    payment_providers: Vec<String>,
    /// The installation's where it is left out.
    #[serde(default)]
    #[schema(value_type = Option<Seller>)]
    seller: Option<Object<Seller>>,
    /// None where it is left out.
    #[serde(default)]
    #[schema(value_type = Option<Fee>)]
    fee: Option<Object<Fee>>,
    /// How many days a guest has for a bank transfer, at most 60; 0 means the installation's
    /// default.
    #[serde(default)]
    manual_payment_days: u32,
    /// How guests may cancel what they have paid; they may not where it is left out.
    #[serde(default)]
    #[schema(value_type = Option<CancellationRule>)]
    cancellation: Option<Object<CancellationRule>>,
}

/// Creates a concert; the caller owns it.
#[utoipa::path(post, path = "/api/v1/admin/events", tag = "admin", request_body = NewEvent,
    params(("Idempotency-Key" = Option<String>, Header, description = "With it, a repeat makes no second concert")),
    security(("access_token" = [])),
    responses(
        (status = 201, body = AdminEvent, headers(("ETag" = String, description = "The version"))),
        BadBody, AdminOnly, Faults
    ))]
pub async fn create_event(
    State(app): State<Shared>,
    token: AdminToken,
    key: OptionalKey,
    Json(new): Json<NewEvent>,
) -> Result<Response, Problem> {
    let request = token.request(CreateEventRequest {
        title: new.title,
        description: new.description,
        location: new.location,
        date_time: Some(proto::timestamp(new.date_time)),
        timezone: new.timezone,
        currency: new.currency,
        status: WritableEventStatus::number(new.status),
        idempotency_key: key.text(),
        payment_providers: new.payment_providers,
        seller: new.seller.map(|Object(seller)| seller.into()),
        fee: new.fee.map(|Object(fee)| fee.into()),
        manual_payment_days: new.manual_payment_days,
        cancellation: new.cancellation.map(|Object(rule)| rule.into()),
    });
    let mut catalog = app.upstreams.catalog_admin();
    let made = catalog.create_event(request).await?.into_inner();
    let event = AdminEvent::required(made.event)?;
    Ok((StatusCode::CREATED, etag(event.version), Answer(event)).into_response())
}
