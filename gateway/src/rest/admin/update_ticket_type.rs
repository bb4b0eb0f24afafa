use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::TicketTypeId;
use proto::ticket::{ClearedField, PoolIds, UpdateTicketTypeRequest};
use serde::Deserialize;
use utoipa::ToSchema;

use super::version::{IfMatch, etag};
use crate::{
    app::Shared,
    extract::{AdminToken, Given, Id, Json, Object},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults, Stale},
        types::{AdminTicketType, Money, broken, moment::Moment},
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
    /// 0 to 10,000,000, at least what is held, sold and blocked. Null means unlimited.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    total_stock: Given<i64>,
    /// Null means at once.
    #[serde(default)]
    #[schema(value_type = Option<OffsetDateTime>)]
    sales_start: Given<Moment>,
    /// Null means until the concert begins.
    #[serde(default)]
    #[schema(value_type = Option<OffsetDateTime>)]
    sales_end: Given<Moment>,
    #[serde(default)]
    min_per_order: Option<u32>,
    /// 1 to 100.
    #[serde(default)]
    max_per_order: Option<u32>,
    /// Parts per million, contained in the price: 190000 is 19 %.
    #[serde(default)]
    tax_rate_ppm: Option<u32>,
    /// Units of the stock that are not sold: the promoter's own.
    #[serde(default)]
    blocked: Option<i64>,
    /// Over all orders of a guest, 1 to 1,000. Null means no limit.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    max_per_guest: Given<u32>,
    /// All shared pools that it draws from besides its own stock; fixed from the first hold on.
    #[serde(default)]
    pool_ids: Option<Vec<String>>,
}

impl TicketTypeChange {
    /// The fields that are to have no value.
    fn cleared(&self) -> Vec<i32> {
        let fields = [
            (self.total_stock.is_null(), ClearedField::Stock),
            (self.sales_start.is_null(), ClearedField::SalesStart),
            (self.sales_end.is_null(), ClearedField::SalesEnd),
            (self.max_per_guest.is_null(), ClearedField::MaxPerGuest),
        ];
        let cleared = fields.into_iter().filter(|(is_null, _)| *is_null);
        cleared.map(|(_, field)| field.into()).collect()
    }
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
         description = "`CAPACITY_TOO_SMALL`, `EVENT_ARCHIVED`, `HAS_SALES` for another `pool_ids`"),
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
        clear: change.cleared(),
        category: change.category,
        price: change.price.map(|Object(price)| price.into()),
        total_stock: change.total_stock.value(),
        sales_start: change.sales_start.value().map(timestamp),
        sales_end: change.sales_end.value().map(timestamp),
        min_per_order: change.min_per_order,
        max_per_order: change.max_per_order,
        tax_rate_ppm: change.tax_rate_ppm,
        blocked: change.blocked,
        max_per_guest: change.max_per_guest.value(),
        pools: change.pool_ids.map(|ids| PoolIds { ids }),
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

fn timestamp(Moment(at): Moment) -> prost_types::Timestamp {
    proto::timestamp(at)
}
