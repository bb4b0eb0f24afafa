use axum::{Json, extract::State};
use kit::Failure;
use proto::ticket::{self, ListHaltedPoolsRequest};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::AdminToken,
    problem::Problem,
    rest::{
        problems::{AdminOnly, Faults},
        types::{all, broken, time_of},
    },
};

#[derive(Serialize, ToSchema)]
pub struct HaltedPools {
    pools: Vec<HaltedPool>,
}

/// Stock of which nothing is sold, because its counters and its ledger differ.
#[derive(Serialize, ToSchema)]
pub struct HaltedPool {
    #[schema(format = Uuid)]
    id: String,
    #[schema(format = Uuid)]
    event_id: String,
    #[schema(example = "Moonlight Sessions")]
    event_title: String,
    /// Of a shared pool; may be empty.
    name: String,
    /// The ticket types that cannot be sold because of it.
    categories: Vec<String>,
    /// Null means unlimited.
    capacity: Option<i64>,
    /// What the counters say now.
    counters: PoolUnits,
    /// What the ledger adds up to now.
    ledger: PoolUnits,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    halted_at: OffsetDateTime,
    /// What the auditor found then.
    reason: String,
}

/// Units of a pool.
#[derive(Serialize, ToSchema)]
pub struct PoolUnits {
    held: i64,
    sold: i64,
    blocked: i64,
}

impl PoolUnits {
    pub fn required(units: Option<ticket::PoolUnits>) -> Result<Self, Failure> {
        let units = units.ok_or_else(|| broken("stock"))?;
        Ok(Self {
            held: units.held,
            sold: units.sold,
            blocked: units.blocked,
        })
    }
}

impl TryFrom<ticket::HaltedPool> for HaltedPool {
    type Error = Failure;

    fn try_from(pool: ticket::HaltedPool) -> Result<Self, Failure> {
        Ok(Self {
            counters: PoolUnits::required(pool.counters)?,
            ledger: PoolUnits::required(pool.ledger)?,
            halted_at: time_of(pool.halted_at.as_ref(), "time")?,
            id: pool.id,
            event_id: pool.event_id,
            event_title: pool.event_title,
            name: pool.name,
            categories: pool.categories,
            capacity: pool.capacity,
            reason: pool.reason,
        })
    }
}

/// The stock whose sale is interrupted, the longest first; 100 at most. For superadmins.
#[utoipa::path(get, path = "/api/v1/admin/halted-pools", tag = "admin",
    security(("access_token" = [])),
    responses((status = 200, body = HaltedPools), AdminOnly, Faults))]
pub async fn list_halted_pools(
    State(app): State<Shared>,
    token: AdminToken,
) -> Result<Json<HaltedPools>, Problem> {
    let request = token.request(ListHaltedPoolsRequest {});
    let mut audit = app.upstreams.pool_audit();
    let found = audit.list_halted_pools(request).await?.into_inner();
    Ok(Json(HaltedPools {
        pools: all(found.pools)?,
    }))
}
