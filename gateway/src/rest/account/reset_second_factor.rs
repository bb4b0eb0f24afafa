use axum::extract::State;
use http::StatusCode;
use proto::user::ResetSecondFactorRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Path},
    problem::Problem,
    rest::problems::{Absent, AdminOnly, Faults},
};

/// For somebody who has lost authenticator and recovery codes: the password alone signs in again. For
/// superadmins.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/reset-second-factor", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 204), AdminOnly, Absent, Faults))]
pub async fn reset_second_factor(
    State(app): State<Shared>,
    token: AdminToken,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let request = token.request(ResetSecondFactorRequest { user_id: id });
    app.upstreams
        .accounts()
        .reset_second_factor(request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
