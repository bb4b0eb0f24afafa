use axum::extract::State;
use http::StatusCode;
use proto::user::RequestPasswordResetRequest;
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
pub struct NewPasswordReset {
    #[schema(format = Email)]
    email: String,
    /// The language of the mail, a BCP 47 tag.
    #[serde(default)]
    #[schema(example = "en")]
    locale: Option<String>,
}

/// Sends a link to choose another password, if the address has an account.
///
/// The answer is the same whether it has one or not.
#[utoipa::path(post, path = "/api/v1/auth/password-resets", tag = "admin",
    request_body = NewPasswordReset,
    responses((status = 202), BadBody, Faults))]
pub async fn request_password_reset(
    State(app): State<Shared>,
    Network(network): Network,
    Json(new): Json<NewPasswordReset>,
) -> Result<StatusCode, Problem> {
    let request = RequestPasswordResetRequest {
        email: new.email,
        locale: new.locale.unwrap_or_default(),
        network,
    };
    let mut registration = app.upstreams.registration();
    registration.request_password_reset(request).await?;
    Ok(StatusCode::ACCEPTED)
}
