use axum::{Json, extract::State};
use base::HoldId;
use proto::ticket::GetHoldRequest;

use crate::{
    app::{App, Shared},
    extract::Access,
    problem::Problem,
    rest::{
        problems::{Faults, Secret},
        types::{Hold, broken},
    },
};

/// One hold.
#[utoipa::path(get, path = "/api/v1/holds/{id}", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses((status = 200, body = Hold), Secret, Faults))]
pub async fn get_hold(
    State(app): State<Shared>,
    access: Access<HoldId>,
) -> Result<Json<Hold>, Problem> {
    Ok(Json(fetch(&app, access).await?))
}

pub async fn fetch(app: &App, access: Access<HoldId>) -> Result<Hold, Problem> {
    let request = GetHoldRequest {
        hold_id: access.id.to_string(),
        secret: access.secret,
    };
    let found = app.upstreams.holds().get_hold(request).await?.into_inner();
    Ok(found.hold.ok_or_else(|| broken("hold"))?.try_into()?)
}
