use axum::extract::State;
use http::StatusCode;
use proto::user::RevokeApiKeyRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Path},
    problem::Problem,
    rest::problems::{Absent, AdminOnly, Faults},
};

/// The key is dead, and its tokens within seconds: one's own, or for superadmins anybody's.
#[utoipa::path(delete, path = "/api/v1/auth/api-keys/{id}", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 204), AdminOnly, Absent, Faults))]
pub async fn revoke_api_key(
    State(app): State<Shared>,
    token: AdminToken,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let request = token.request(RevokeApiKeyRequest { key_id: id });
    app.upstreams.api_keys().revoke_api_key(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
