use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::TicketTypeId;
use proto::ticket::UpdateTicketTypeRequest;
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
        types::{AdminTicketType, Money, broken, moment},
    },
};

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketTypeChange {
    /// 1 to 100 characters.
    #[serde(default)]
    category: Option<String>,
    /// In the concert's currency, with tax; 0 is a free ticket.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    price: Option<Object<Money>>,
    /// 0 to 10,000,000, at least what is held, sold and blocked.
    #[serde(default)]
    total_stock: Option<i64>,
    #[serde(default, deserialize_with = "moment::option")]
    sales_start: Option<OffsetDateTime>,
    #[serde(default, deserialize_with = "moment::option")]
    sales_end: Option<OffsetDateTime>,
    #[serde(default)]
    min_per_order: Option<u32>,
    /// 1 to 100.
    #[serde(default)]
    max_per_order: Option<u32>,
    /// Parts per million, contained in the price: 190000 is 19 %.
    #[serde(default)]
    tax_rate_ppm: Option<u32>,
}

/// Changes a ticket type. What is already held keeps its price.
#[utoipa::path(patch, path = "/api/v1/admin/ticket-types/{id}", tag = "admin",
    request_body = TicketTypeChange,
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the change is based on"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, body = AdminTicketType, headers(("ETag" = String, description = "The version"))),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`CAPACITY_TOO_SMALL`"),
        BadBody, AdminOnly, Absent, Stale, Faults
    ))]
pub async fn update_ticket_type(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<TicketTypeId>,
    IfMatch(expected_version): IfMatch,
    Json(change): Json<TicketTypeChange>,
) -> Result<Response, Problem> {
    let request = token.request(UpdateTicketTypeRequest {
        ticket_type_id: id.to_string(),
        expected_version,
        category: change.category,
        price: change.price.map(|Object(price)| price.into()),
        total_stock: change.total_stock,
        sales_start: change.sales_start.map(proto::timestamp),
        sales_end: change.sales_end.map(proto::timestamp),
        min_per_order: change.min_per_order,
        max_per_order: change.max_per_order,
        tax_rate_ppm: change.tax_rate_ppm,
    });
    let changed = app
        .upstreams
        .catalog_admin()
        .update_ticket_type(request)
        .await?
        .into_inner();
    let kind: AdminTicketType = changed
        .ticket_type
        .ok_or_else(|| broken("ticket type"))?
        .try_into()?;
    Ok((etag(kind.version), Answer(kind)).into_response())
}
