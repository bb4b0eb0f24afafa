use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::EventId;
use http::StatusCode;
use proto::ticket::CreateTicketTypeRequest;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::version::etag;
use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json, Object, OptionalKey},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::{AdminTicketType, Money, broken, moment},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicketType {
    /// 1 to 100 characters.
    category: String,
    /// In the concert's currency, with tax; 0 is a free ticket.
    #[schema(value_type = Money)]
    price: Object<Money>,
    /// 0 to 10,000,000; unlimited where it is left out.
    #[serde(default)]
    total_stock: Option<i64>,
    /// At once where it is left out.
    #[serde(default, deserialize_with = "moment::option")]
    sales_start: Option<OffsetDateTime>,
    /// Until the concert begins where it is left out.
    #[serde(default, deserialize_with = "moment::option")]
    sales_end: Option<OffsetDateTime>,
    /// 1 where it is left out.
    #[serde(default)]
    min_per_order: u32,
    /// 1 to 100; 10 where it is left out.
    #[serde(default)]
    max_per_order: u32,
    /// Parts per million, contained in the price: 190000 is 19 %.
    #[serde(default)]
    #[schema(example = 190000)]
    tax_rate_ppm: u32,
    /// Units of the stock that are not sold: the promoter's own.
    #[serde(default)]
    blocked: i64,
    /// How many one guest may have over all their orders, 1 to 1,000; no limit where it is left out.
    #[serde(default)]
    max_per_guest: Option<u32>,
    /// Shared pools of the concert that it draws from besides its own stock.
    #[serde(default)]
    pool_ids: Vec<String>,
}

/// Adds a ticket type with stock of its own.
#[utoipa::path(post, path = "/api/v1/admin/events/{id}/ticket-types", tag = "admin",
    request_body = NewTicketType,
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = Option<String>, Header, description = "With it, a repeat makes no second ticket type"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 201, body = AdminTicketType, headers(("ETag" = String, description = "The version"))),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`CAPACITY_TOO_SMALL`, `EVENT_ARCHIVED`"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn create_ticket_type(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    key: OptionalKey,
    Json(new): Json<NewTicketType>,
) -> Result<Response, Problem> {
    let request = token.request(CreateTicketTypeRequest {
        event_id: id.to_string(),
        category: new.category,
        price: Some(new.price.0.into()),
        total_stock: new.total_stock,
        sales_start: new.sales_start.map(proto::timestamp),
        sales_end: new.sales_end.map(proto::timestamp),
        min_per_order: new.min_per_order,
        max_per_order: new.max_per_order,
        idempotency_key: key.text(),
        tax_rate_ppm: new.tax_rate_ppm,
        blocked: new.blocked,
        max_per_guest: new.max_per_guest,
        pool_ids: new.pool_ids,
    });
    let made = app
        .upstreams
        .catalog_admin()
        .create_ticket_type(request)
        .await?
        .into_inner();
    let kind: AdminTicketType = made
        .ticket_type
        .ok_or_else(|| broken("ticket type"))?
        .try_into()?;
    Ok((StatusCode::CREATED, etag(kind.version), Answer(kind)).into_response())
}
