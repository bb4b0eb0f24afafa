use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::PoolId;
use proto::ticket::UpdatePoolRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::version::{IfMatch, etag};
use crate::{
    app::Shared,
    extract::{AdminToken, Given, Id, Json},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults, Stale},
        types::{Pool, broken},
    },
};

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolChange {
    /// 1 to 100 characters.
    #[serde(default)]
    name: Option<String>,
    /// 0 to 10,000,000, at least what is held, sold and blocked. Null means unlimited.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    capacity: Given<i64>,
    /// Units that are not sold: the promoter's own.
    #[serde(default)]
    blocked: Option<i64>,
}

/// Changes a shared pool.
#[utoipa::path(patch, path = "/api/v1/admin/pools/{id}", tag = "admin", request_body = PoolChange,
    params(
        ("id" = String, Path, format = Uuid),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the version that the change is based on"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, body = Pool, headers(("ETag" = String, description = "The version"))),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`CAPACITY_TOO_SMALL`, `EVENT_ARCHIVED`"),
        BadBody, AdminOnly, Absent, Stale, Faults
    ))]
pub async fn update_pool(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<PoolId>,
    IfMatch(expected_version): IfMatch,
    Json(change): Json<PoolChange>,
) -> Result<Response, Problem> {
    let request = token.request(UpdatePoolRequest {
        pool_id: id.to_string(),
        expected_version,
        name: change.name,
        unlimited: change.capacity.is_null(),
        capacity: change.capacity.value(),
        blocked: change.blocked,
    });
    let mut catalog = app.upstreams.catalog_admin();
    let changed = catalog.update_pool(request).await?.into_inner();
    let pool = Pool::from(changed.pool.ok_or_else(|| broken("pool"))?);
    Ok((etag(pool.version), Answer(pool)).into_response())
}
