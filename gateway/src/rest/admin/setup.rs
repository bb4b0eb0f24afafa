use axum::{Json as Answer, extract::State};
use http::StatusCode;
use proto::user::SetupFirstAdminRequest;
use serde::Deserialize;
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
pub struct Setup {
    /// Printed at the first start.
    setup_token: String,
    #[schema(format = Email)]
    email: String,
    /// 15 to 256 characters, and none that many people use.
    #[schema(format = Password)]
    password: String,
}

/// Makes the first superadmin, once.
#[utoipa::path(post, path = "/api/v1/admin/setup", tag = "admin", request_body = Setup,
    responses(
        (status = 201, body = User),
        (status = 401, body = ProblemBody, content_type = "application/problem+json",
         description = "`INVALID_CREDENTIALS`: this is not the setup token"),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`SETUP_NOT_AVAILABLE`: there is an account already"),
        BadBody, Faults
    ))]
pub async fn setup(
    State(app): State<Shared>,
    Json(setup): Json<Setup>,
) -> Result<(StatusCode, Answer<User>), Problem> {
    let request = SetupFirstAdminRequest {
        setup_token: setup.setup_token,
        email: setup.email,
        password: setup.password,
    };
    let made = app
        .upstreams
        .setup()
        .setup_first_admin(request)
        .await?
        .into_inner();
    let user = made.user.ok_or_else(|| broken("user"))?.try_into()?;
    Ok((StatusCode::CREATED, Answer(user)))
}
