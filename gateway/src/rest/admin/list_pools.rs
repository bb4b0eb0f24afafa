use axum::{Json, extract::State};
use base::EventId;
use proto::ticket::ListPoolsRequest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::Pool,
    },
};

#[derive(Serialize, ToSchema)]
pub struct PoolList {
    pools: Vec<Pool>,
}

/// The shared pools of one concert, by name.
#[utoipa::path(get, path = "/api/v1/admin/events/{id}/pools", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = PoolList), AdminOnly, Absent, Faults))]
pub async fn list_pools(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
) -> Result<Json<PoolList>, Problem> {
    let request = token.request(ListPoolsRequest {
        event_id: id.to_string(),
    });
    let mut catalog = app.upstreams.catalog_admin();
    let found = catalog.list_pools(request).await?.into_inner();
    Ok(Json(PoolList {
        pools: found.pools.into_iter().map(Pool::from).collect(),
    }))
}
