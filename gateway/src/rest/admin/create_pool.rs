use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::EventId;
use http::StatusCode;
use proto::ticket::CreatePoolRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::version::etag;
use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json, OptionalKey},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::{Pool, broken},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPool {
    /// 1 to 100 characters.
    #[schema(example = "The whole hall")]
    name: String,
    /// 0 to 10,000,000; unlimited where it is left out.
    #[serde(default)]
    capacity: Option<i64>,
    /// Units that are not sold: the promoter's own.
    #[serde(default)]
    blocked: i64,
}

/// Adds stock that several ticket types can share.
///
/// A ticket type draws from it once it lists it in `pool_ids`; each ticket then takes a unit of it
/// besides one of the type's own stock.
#[utoipa::path(post, path = "/api/v1/admin/events/{id}/pools", tag = "admin",
    request_body = NewPool,
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = Option<String>, Header, description = "With it, a repeat makes no second pool"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 201, body = Pool, headers(("ETag" = String, description = "The version"))),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`CAPACITY_TOO_SMALL`, `EVENT_ARCHIVED`"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn create_pool(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
    key: OptionalKey,
    Json(new): Json<NewPool>,
) -> Result<Response, Problem> {
    let request = token.request(CreatePoolRequest {
        event_id: id.to_string(),
        name: new.name,
        capacity: new.capacity,
        blocked: new.blocked,
        idempotency_key: key.text(),
    });
    let mut catalog = app.upstreams.catalog_admin();
    let made = catalog.create_pool(request).await?.into_inner();
    let pool = Pool::from(made.pool.ok_or_else(|| broken("pool"))?);
    Ok((StatusCode::CREATED, etag(pool.version), Answer(pool)).into_response())
}
