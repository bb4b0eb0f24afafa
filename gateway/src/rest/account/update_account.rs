use axum::{Json as Answer, extract::State};
use proto::user::UpdateAccountRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use super::types::{Account, AccountStatus, GivenRole};
use crate::{
    app::Shared,
    extract::{AdminToken, Json, Path},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{Absent, AdminOnly, BadBody, Faults},
        types::broken,
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    #[serde(default)]
    role: Option<GivenRole>,
    /// `disabled` ends its sessions; what it did stays on record.
    #[serde(default)]
    status: Option<AccountStatus>,
    /// Why, for the record: up to 500 characters.
    #[serde(default)]
    note: Option<String>,
}

/// Another role, or disabled, or active again. For superadmins.
#[utoipa::path(patch, path = "/api/v1/admin/users/{id}", tag = "admin",
    request_body = AccountChange,
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses(
        (status = 200, body = Account),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`LAST_SUPERADMIN`"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn update_account(
    State(app): State<Shared>,
    token: AdminToken,
    Path(id): Path<String>,
    Json(change): Json<AccountChange>,
) -> Result<Answer<Account>, Problem> {
    let request = token.request(UpdateAccountRequest {
        user_id: id,
        role: change.role.map_or(0, GivenRole::to_wire),
        status: change.status.map_or(0, AccountStatus::to_wire),
        note: change.note.unwrap_or_default(),
    });
    let changed = app.upstreams.accounts().update_account(request).await?;
    let account = changed.into_inner().account;
    Ok(Answer(
        account.ok_or_else(|| broken("account"))?.try_into()?,
    ))
}
