use kit::{Admin, Failure};
use proto::user::{RevokeInvitationRequest, RevokeInvitationResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    store::{self, AuditEntry},
};

/// Takes an invitation back that nobody has used. A repeat is no mistake.
pub(crate) async fn revoke_invitation(
    app: &App,
    admin: Admin,
    request: RevokeInvitationRequest,
) -> Result<RevokeInvitationResponse, Error> {
    let absent = || Error::from(Failure::not_found("invitation"));
    let id: Uuid = request.invitation_id.parse().map_err(|_| absent())?;
    let object = ("invitation", id);
    let wish = Wish {
        id,
        at: app.sources.now(),
        audit: AuditEntry::new(
            &app.sources,
            Some(admin.id),
            "admin.invitation_revoked",
            object,
        ),
    };
    let found = app
        .db
        .run(wish, |conn, wish| Box::pin(revoke(conn, wish)))
        .await?;
    found
        .then_some(RevokeInvitationResponse {})
        .ok_or_else(absent)
}

struct Wish {
    id: Uuid,
    at: OffsetDateTime,
    audit: AuditEntry,
}

async fn revoke(conn: &mut PgConnection, wish: &Wish) -> Result<bool, Error> {
    let revoked = sqlx::query_scalar!(
        "UPDATE invitations SET revoked_at = $2
         WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL RETURNING email",
        wish.id,
        wish.at,
    );
    if let Some(email) = revoked.fetch_optional(&mut *conn).await? {
        let audit = wish.audit.clone().after(json!({"email": email}));
        store::audit(conn, &audit).await?;
        return Ok(true);
    }
    let before = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM invitations WHERE id = $1 AND revoked_at IS NOT NULL)
           AS "before!""#,
        wish.id,
    );
    Ok(before.fetch_one(conn).await?)
}
