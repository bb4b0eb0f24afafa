use axum::{Json, extract::State};
use proto::user::GetMeRequest;

use crate::{
    app::Shared,
    extract::AdminToken,
    problem::Problem,
    rest::{
        problems::{AdminOnly, Faults},
        types::{User, broken},
    },
};

/// The account that the access token belongs to.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "admin", security(("access_token" = [])),
    responses((status = 200, body = User), AdminOnly, Faults))]
pub async fn get_me(State(app): State<Shared>, token: AdminToken) -> Result<Json<User>, Problem> {
    let request = token.request(GetMeRequest {});
    let found = app.upstreams.sessions().get_me(request).await?.into_inner();
    Ok(Json(found.user.ok_or_else(|| broken("user"))?.try_into()?))
}
