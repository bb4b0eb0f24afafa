use axum::extract::State;
use http::StatusCode;
use proto::user::RemoveSecondFactorRequest;

use super::begin_second_factor::OwnPassword;
use crate::{
    app::Shared,
    extract::{AdminToken, Json, Network},
    problem::{Problem, ProblemBody},
    rest::problems::{BadBody, Faults},
};

/// Signing in takes the password alone again.
#[utoipa::path(post, path = "/api/v1/auth/second-factor/remove", tag = "admin",
    request_body = OwnPassword, security(("access_token" = [])),
    responses(
        (status = 204),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`UNAUTHENTICATED`; `INVALID_CREDENTIALS`: this is not the password"),
        (status = 403, body = ProblemBody, content_type = "application/problem+json",
         description = "`PERMISSION_DENIED` or `CROSS_SITE_REQUEST`"),
        BadBody, Faults
    ))]
pub async fn remove_second_factor(
    State(app): State<Shared>,
    token: AdminToken,
    Network(network): Network,
    Json(own): Json<OwnPassword>,
) -> Result<StatusCode, Problem> {
    let request = token.request(RemoveSecondFactorRequest {
        password: own.password,
        network,
    });
    let mut factors = app.upstreams.second_factors();
    factors.remove_second_factor(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
