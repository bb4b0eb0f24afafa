use axum::{Json as Answer, extract::State};
use proto::user::DecideAccountRequestRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::types::{GivenRole, Invitation};
use crate::{
    app::Shared,
    extract::{AdminToken, Json, Path},
    problem::{Problem, ProblemBody},
    rest::problems::{Absent, AdminOnly, BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountDecision {
    /// Whether they are invited.
    approve: bool,
    /// Of who is; needed then.
    #[serde(default)]
    role: Option<GivenRole>,
}

#[derive(Serialize, ToSchema)]
pub struct Decided {
    /// Null where it was not approved.
    invitation: Option<Invitation>,
}

/// Decides about somebody who asked for an account. For superadmins.
///
/// Who is approved is invited by mail; who is not hears nothing.
#[utoipa::path(post, path = "/api/v1/admin/account-requests/{id}/decide", tag = "admin",
    request_body = AccountDecision,
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = Decided),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`ACCOUNT_EXISTS`"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn decide_account_request(
    State(app): State<Shared>,
    token: AdminToken,
    Path(id): Path<String>,
    Json(decision): Json<AccountDecision>,
) -> Result<Answer<Decided>, Problem> {
    let request = token.request(DecideAccountRequestRequest {
        request_id: id,
        approve: decision.approve,
        role: decision.role.map_or(0, GivenRole::to_wire),
    });
    let mut accounts = app.upstreams.accounts();
    let decided = accounts.decide_account_request(request).await?.into_inner();
    let invitation = decided.invitation.map(Invitation::try_from).transpose()?;
    Ok(Answer(Decided { invitation }))
}
