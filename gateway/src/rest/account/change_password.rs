use axum::extract::State;
use http::StatusCode;
use proto::user::ChangePasswordRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Json, Network},
    problem::{Problem, ProblemBody},
    rest::problems::{BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(format = Password)]
    current_password: String,
    /// 15 to 256 characters, and none that many people use.
    #[schema(format = Password)]
    new_password: String,
}

/// Another password for one's own account. Every other session of it ends.
#[utoipa::path(post, path = "/api/v1/auth/password", tag = "admin", request_body = PasswordChange,
    security(("access_token" = [])),
    responses(
        (status = 204),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`UNAUTHENTICATED`; `INVALID_CREDENTIALS`: the current password is another"),
        (status = 403, body = ProblemBody, content_type = "application/problem+json",
         description = "`PERMISSION_DENIED` or `CROSS_SITE_REQUEST`"),
        BadBody, Faults
    ))]
pub async fn change_password(
    State(app): State<Shared>,
    token: AdminToken,
    Network(network): Network,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let request = token.request(ChangePasswordRequest {
        current_password: change.current_password,
        new_password: change.new_password,
        network,
    });
    app.upstreams.sessions().change_password(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
