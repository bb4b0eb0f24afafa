use axum::{Json as Answer, extract::State};
use proto::user::RotateSigningKeyRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Json},
    problem::Problem,
    rest::problems::{AdminOnly, BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRotation {
    /// True where somebody may have a private key: every access token is refused within seconds, and
    /// refresh tokens are good still.
    #[serde(default)]
    revoke_previous: bool,
}

#[derive(Serialize, ToSchema)]
pub struct RotatedKey {
    /// `kid` of the key that signs now.
    key_id: String,
}

/// Another key signs access tokens. For superadmins.
#[utoipa::path(post, path = "/api/v1/admin/signing-keys/rotate", tag = "admin",
    request_body = KeyRotation, security(("access_token" = [])),
    responses((status = 200, body = RotatedKey), BadBody, AdminOnly, Faults))]
pub async fn rotate_signing_key(
    State(app): State<Shared>,
    token: AdminToken,
    Json(rotation): Json<KeyRotation>,
) -> Result<Answer<RotatedKey>, Problem> {
    let request = token.request(RotateSigningKeyRequest {
        revoke_previous: rotation.revoke_previous,
    });
    let rotated = app.upstreams.accounts().rotate_signing_key(request).await?;
    Ok(Answer(RotatedKey {
        key_id: rotated.into_inner().key_id,
    }))
}
