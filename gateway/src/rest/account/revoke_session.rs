use axum::extract::State;
use http::StatusCode;
use proto::user::RevokeSessionRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Path},
    problem::Problem,
    rest::problems::{Absent, AdminOnly, Faults},
};

/// Ends a session of one's own, or for superadmins anybody's. Its access token is refused within seconds.
#[utoipa::path(delete, path = "/api/v1/auth/sessions/{id}", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 204), AdminOnly, Absent, Faults))]
pub async fn revoke_session(
    State(app): State<Shared>,
    token: AdminToken,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let request = token.request(RevokeSessionRequest { session_id: id });
    app.upstreams.sessions().revoke_session(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
