use axum::extract::State;
use http::StatusCode;
use proto::user::ResetPasswordRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{Json, Network},
    problem::Problem,
    rest::problems::{BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// What the link in the mail ends with.
    token: String,
    /// 15 to 256 characters, and none that many people use.
    #[schema(format = Password)]
    password: String,
}

/// Another password, for who has the link from the mail. Every session of the account ends.
///
/// 422 `CODE_INVALID`: the link was used, or is too old.
#[utoipa::path(post, path = "/api/v1/auth/password-resets/redeem", tag = "admin",
    request_body = PasswordReset,
    responses((status = 204), BadBody, Faults))]
pub async fn reset_password(
    State(app): State<Shared>,
    Network(network): Network,
    Json(reset): Json<PasswordReset>,
) -> Result<StatusCode, Problem> {
    let request = ResetPasswordRequest {
        token: reset.token,
        password: reset.password,
        network,
    };
    app.upstreams.registration().reset_password(request).await?;
    app.told.forget();
    Ok(StatusCode::NO_CONTENT)
}
