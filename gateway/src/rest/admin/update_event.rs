use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::EventId;
use proto::ticket::{PaymentProviders, UpdateEventRequest};
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::version::{IfMatch, etag};
use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json, Object},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults, Stale},
        types::{AdminEvent, CancellationRule, Fee, Seller, WritableEventStatus, moment},
    },
};

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventChange {
    /// 1 to 200 characters.
    #[serde(default)]
    title: Option<String>,
    /// Up to 10,000 characters.
    #[serde(default)]
    description: Option<String>,
    /// 1 to 200 characters.
    #[serde(default)]
    location: Option<String>,
    #[serde(default, deserialize_with = "moment::option")]
    date_time: Option<OffsetDateTime>,
    /// An IANA name.
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    status: Option<WritableEventStatus>,
    /// What guests may pay with, the preferred one first; empty means every enabled one.
    #[serde(default)]
    payment_providers: Option<Vec<String>>,
    /// An empty one, `{}`, gives the concert back to the installation's seller.
    #[serde(default)]
    #[schema(value_type = Option<Seller>)]
    seller: Option<Object<Seller>>,
    #[serde(default)]
    #[schema(value_type = Option<Fee>)]
    fee: Option<Object<Fee>>,
    /// At most 60; 0 means the installation's default.
    #[serde(default)]
    manual_payment_days: Option<u32>,
    /// `{"allowed": false}` takes the rule away. What was sold keeps the rule that it was sold by.
    #[serde(default)]
    #[schema(value_type = Option<CancellationRule>)]
    cancellation: Option<Object<CancellationRule>>,
    /// What its picture shows, for who cannot see it; up to 250 characters.
    #[serde(default)]
    image_alt: Option<String>,
}

/// Changes a concert.
#[utoipa::path(patch, path = "/api/v1/admin/events/{id}", tag = "admin", request_body = EventChange,
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the change is based on"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, body = AdminEvent, headers(("ETag" = String, description = "The version"))),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`EVENT_NOT_ACTIVE` where it is cancelled, `EVENT_ARCHIVED`"),
        BadBody, AdminOnly, Absent, Stale, Faults
    ))]
pub async fn update_event(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    IfMatch(expected_version): IfMatch,
    Json(change): Json<EventChange>,
) -> Result<Response, Problem> {
    let request = token.request(UpdateEventRequest {
        event_id: id.to_string(),
        expected_version,
        title: change.title,
        description: change.description,
        location: change.location,
        date_time: change.date_time.map(proto::timestamp),
        timezone: change.timezone,
        status: WritableEventStatus::number(change.status),
        payment_providers: change
            .payment_providers
            .map(|names| PaymentProviders { names }),
        seller: change.seller.map(|Object(seller)| seller.into()),
        fee: change.fee.map(|Object(fee)| fee.into()),
        manual_payment_days: change.manual_payment_days,
        cancellation: change.cancellation.map(|Object(rule)| rule.into()),
        image_alt: change.image_alt,
    });
    let mut catalog = app.upstreams.catalog_admin();
    let changed = catalog.update_event(request).await?.into_inner();
    let event = AdminEvent::required(changed.event)?;
    Ok((etag(event.version), Answer(event)).into_response())
}
