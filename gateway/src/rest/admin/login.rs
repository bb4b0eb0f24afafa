use axum::{Json as Answer, extract::State};
use proto::user::LoginRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::Json,
    problem::{Problem, ProblemBody},
    rest::{
        problems::{BadBody, Faults},
        types::{User, broken},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    #[schema(format = Email)]
    email: String,
    #[schema(format = Password)]
    password: String,
}

#[derive(Serialize, ToSchema)]
pub struct Session {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    expires_in: u32,
    refresh_token: String,
    user: User,
}

/// Exchanges an address and a password for an access token.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "admin", request_body = Login,
    responses(
        (status = 200, body = Session),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`INVALID_CREDENTIALS`, for an unknown address and a wrong password alike"),
        BadBody, Faults
    ))]
pub async fn login(
    State(app): State<Shared>,
    Json(login): Json<Login>,
) -> Result<Answer<Session>, Problem> {
    let request = LoginRequest {
        email: login.email,
        password: login.password,
    };
    let session = app.upstreams.sessions().login(request).await?.into_inner();
    Ok(Answer(Session {
        access_token: session.access_token,
        token_type: "Bearer",
        expires_in: session.expires_in,
        refresh_token: session.refresh_token,
        user: session.user.ok_or_else(|| broken("user"))?.try_into()?,
    }))
}
