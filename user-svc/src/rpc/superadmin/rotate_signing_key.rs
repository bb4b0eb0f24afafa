use kit::Admin;
use proto::user::{RotateSigningKeyRequest, RotateSigningKeyResponse};
use uuid::Uuid;

use crate::{app::App, error::Error, store::AuditEntry};

/// Another key signs access tokens. What was signed before is good as long as it lives, unless the keys
/// before are revoked: then everybody needs their refresh token within seconds.
pub(crate) async fn rotate_signing_key(
    app: &App,
    admin: Admin,
    request: RotateSigningKeyRequest,
) -> Result<RotateSigningKeyResponse, Error> {
    // Keys have no id of that kind; the record names them.
    let object = ("signing_key", Uuid::nil());
    let audit = AuditEntry::new(&app.sources, Some(admin.id), "signing_key.rotated", object);
    let key_id = app.signer.rotate(request.revoke_previous, audit).await?;
    app.board.nudge();
    Ok(RotateSigningKeyResponse { key_id })
}
