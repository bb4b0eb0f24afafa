use axum::{Json as Answer, extract::State};
use http::StatusCode;
use proto::user::RegisterRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{Json, Network},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{BadBody, Faults},
        types::{User, broken},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// What the link in the mail ends with.
    invitation: String,
    /// The address that was invited.
    #[schema(format = Email)]
    email: String,
    /// 15 to 256 characters, and none that many people use.
    #[schema(format = Password)]
    password: String,
}

/// Makes the account that an invitation is for.
///
/// 422 `CODE_INVALID`: the invitation is for another address, was used, or is too old.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "admin", request_body = Registration,
    responses(
        (status = 201, body = User),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`ACCOUNT_EXISTS`"),
        BadBody, Faults
    ))]
pub async fn register(
    State(app): State<Shared>,
    Network(network): Network,
    Json(new): Json<Registration>,
) -> Result<(StatusCode, Answer<User>), Problem> {
    let request = RegisterRequest {
        invitation: new.invitation,
        email: new.email,
        password: new.password,
        network,
    };
    let mut registration = app.upstreams.registration();
    let made = registration.register(request).await?.into_inner();
    let user = made.user.ok_or_else(|| broken("user"))?.try_into()?;
    Ok((StatusCode::CREATED, Answer(user)))
}
