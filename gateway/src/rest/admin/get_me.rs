use axum::{Json, extract::State};
use proto::user::GetMeRequest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::AdminToken,
    problem::Problem,
    rest::{
        problems::{AdminOnly, Faults},
        types::{User, broken},
    },
};

/// One's own account.
#[derive(Serialize, ToSchema)]
pub struct Me {
    #[serde(flatten)]
    user: User,
    /// Whether signing in takes a code, too.
    second_factor: bool,
}

/// The account that the access token belongs to.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "admin", security(("access_token" = [])),
    responses((status = 200, body = Me), AdminOnly, Faults))]
pub async fn get_me(State(app): State<Shared>, token: AdminToken) -> Result<Json<Me>, Problem> {
    let request = token.request(GetMeRequest {});
    let found = app.upstreams.sessions().get_me(request).await?.into_inner();
    Ok(Json(Me {
        user: found.user.ok_or_else(|| broken("user"))?.try_into()?,
        second_factor: found.second_factor,
    }))
}
