use axum::extract::State;
use http::StatusCode;
use proto::user::RevokeInvitationRequest;

use crate::{
    app::Shared,
    extract::{AdminToken, Path},
    problem::Problem,
    rest::problems::{Absent, AdminOnly, Faults},
};

/// Takes an invitation back that nobody has used. For superadmins.
#[utoipa::path(delete, path = "/api/v1/admin/invitations/{id}", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 204), AdminOnly, Absent, Faults))]
pub async fn revoke_invitation(
    State(app): State<Shared>,
    token: AdminToken,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let request = token.request(RevokeInvitationRequest { invitation_id: id });
    app.upstreams.accounts().revoke_invitation(request).await?;
    Ok(StatusCode::NO_CONTENT)
}
