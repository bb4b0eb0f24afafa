use axum::{Json, extract::State};
use kit::Failure;
use proto::user::{self, ListInvitationsRequest};
use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};
use utoipa::ToSchema;

use super::types::Invitation;
use crate::{
    app::Shared,
    extract::AdminToken,
    problem::Problem,
    rest::{
        problems::{AdminOnly, Faults},
        types::{all, time_of},
    },
};

#[derive(Serialize, ToSchema)]
pub struct InvitationList {
    invitations: Vec<Invitation>,
    /// Who asks for an account.
    requests: Vec<AccountRequest>,
}

#[derive(Serialize, ToSchema)]
pub struct AccountRequest {
    id: String,
    email: String,
    note: String,
    #[serde(with = "rfc3339")]
    created_at: OffsetDateTime,
}

impl TryFrom<user::AccountRequest> for AccountRequest {
    type Error = Failure;

    fn try_from(request: user::AccountRequest) -> Result<Self, Failure> {
        Ok(Self {
            created_at: time_of(request.created_at.as_ref(), "created_at")?,
            id: request.id,
            email: request.email,
            note: request.note,
        })
    }
}

/// Who was invited and has not come yet, and who asks to be. For superadmins.
#[utoipa::path(get, path = "/api/v1/admin/invitations", tag = "admin",
    security(("access_token" = [])),
    responses((status = 200, body = InvitationList), AdminOnly, Faults))]
pub async fn list_invitations(
    State(app): State<Shared>,
    token: AdminToken,
) -> Result<Json<InvitationList>, Problem> {
    let request = token.request(ListInvitationsRequest {});
    let found = app.upstreams.accounts().list_invitations(request).await?;
    let found = found.into_inner();
    Ok(Json(InvitationList {
        invitations: all(found.invitations)?,
        requests: all(found.requests)?,
    }))
}
