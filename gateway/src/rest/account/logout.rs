use axum::extract::State;
use http::StatusCode;
use proto::user::LogoutRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::Json,
    problem::Problem,
    rest::problems::{BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    refresh_token: String,
}

/// Ends a session. Its access token is refused within seconds.
///
/// A session that has ended already is no mistake.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "admin", request_body = Logout,
    responses((status = 204), BadBody, Faults))]
pub async fn logout(
    State(app): State<Shared>,
    Json(logout): Json<Logout>,
) -> Result<StatusCode, Problem> {
    let request = LogoutRequest {
        refresh_token: logout.refresh_token,
    };
    app.upstreams.sessions().logout(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
