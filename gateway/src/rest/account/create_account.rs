use axum::{Json as Answer, extract::State};
use http::StatusCode;
use proto::user::CreateAccountRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::types::{Account, GivenRole};
use crate::{
    app::Shared,
    extract::{AdminToken, Json},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{AdminOnly, BadBody, Faults},
        types::broken,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    #[schema(format = Email)]
    email: String,
    role: GivenRole,
    /// 15 to 256 characters, and none that many people use. Its owner should choose another one.
    #[schema(format = Password)]
    password: String,
}

/// Makes an account at once, without a mail. For superadmins.
///
/// An invitation proves the address, and its password is known to nobody else. A repeat makes no second
/// account.
#[utoipa::path(post, path = "/api/v1/admin/users", tag = "admin",
    request_body = NewAccount, security(("access_token" = [])),
    responses(
        (status = 201, body = Account),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`ACCOUNT_EXISTS`"),
        BadBody, AdminOnly, Faults
    ))]
pub async fn create_account(
    State(app): State<Shared>,
    token: AdminToken,
    Json(new): Json<NewAccount>,
) -> Result<(StatusCode, Answer<Account>), Problem> {
    let request = token.request(CreateAccountRequest {
        email: new.email,
        role: new.role.to_wire(),
        password: new.password,
    });
    let made = app.upstreams.accounts().create_account(request).await?;
    let account = made.into_inner().account;
    let account = account.ok_or_else(|| broken("account"))?.try_into()?;
    Ok((StatusCode::CREATED, Answer(account)))
}
