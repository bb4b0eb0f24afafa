use axum::{Json as Answer, extract::State};
use http::StatusCode;
use proto::user::InviteAdminRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::types::{GivenRole, Invitation};
use crate::{
    app::Shared,
    extract::{AdminToken, Json},
    problem::{Problem, ProblemBody},
    rest::problems::{AdminOnly, BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    #[schema(format = Email)]
    email: String,
    role: GivenRole,
    /// The language of the mail, a BCP 47 tag.
    #[serde(default)]
    #[schema(example = "en")]
    locale: Option<String>,
}

/// Sends a link to make an account. For superadmins.
///
/// An address that was invited before gets another link, and the one before is dead.
#[utoipa::path(post, path = "/api/v1/admin/invitations", tag = "admin",
    request_body = NewInvitation, security(("access_token" = [])),
    responses(
        (status = 201, body = Invitation),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`ACCOUNT_EXISTS`"),
        BadBody, AdminOnly, Faults
    ))]
pub async fn invite_admin(
    State(app): State<Shared>,
    token: AdminToken,
    Json(new): Json<NewInvitation>,
) -> Result<(StatusCode, Answer<Invitation>), Problem> {
    let request = token.request(InviteAdminRequest {
        email: new.email,
        role: new.role.to_wire(),
        locale: new.locale.unwrap_or_default(),
    });
    let made = app.upstreams.accounts().invite_admin(request).await?;
    let invitation = Invitation::required(made.into_inner().invitation)?;
    Ok((StatusCode::CREATED, Answer(invitation)))
}
