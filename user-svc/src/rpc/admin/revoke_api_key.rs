use kit::{Admin, Failure};
use proto::user::{RevokeApiKeyRequest, RevokeApiKeyResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    store::{self, AuditEntry},
};

/// The key is dead, and its tokens are refused everywhere within seconds. One that is dead stays so.
pub(crate) async fn revoke_api_key(
    app: &App,
    admin: Admin,
    request: RevokeApiKeyRequest,
) -> Result<RevokeApiKeyResponse, Error> {
    let absent = || Error::from(Failure::not_found("key"));
    let id: Uuid = request.key_id.parse().map_err(|_| absent())?;
    let wish = Wish {
        id,
        admin,
        at: app.sources.now(),
        audit: AuditEntry::new(
            &app.sources,
            Some(admin.id),
            "api_key.revoked",
            ("api_key", id),
        ),
    };
    let found = app
        .db
        .run(wish, |conn, wish| Box::pin(revoke(conn, wish)))
        .await?;
    if !found {
        return Err(absent());
    }
    app.board.nudge();
    Ok(RevokeApiKeyResponse {})
}

struct Wish {
    id: Uuid,
    admin: Admin,
    at: OffsetDateTime,
    audit: AuditEntry,
}

/// False for absent and foreign alike.
async fn revoke(conn: &mut PgConnection, wish: &Wish) -> Result<bool, Error> {
    let key = sqlx::query!(
        "SELECT user_id, name, revoked_at FROM api_keys
         WHERE id = $1 AND ($2 OR user_id = $3) FOR UPDATE",
        wish.id,
        wish.admin.superadmin,
        wish.admin.id.uuid(),
    );
    let Some(key) = key.fetch_optional(&mut *conn).await? else {
        return Ok(false);
    };
    if key.revoked_at.is_none() {
        sqlx::query!(
            "UPDATE api_keys SET revoked_at = $2 WHERE id = $1",
            wish.id,
            wish.at
        )
        .execute(&mut *conn)
        .await?;
        let audit = wish.audit.clone();
        let told = json!({"user_id": key.user_id, "name": key.name});
        store::audit(conn, &audit.after(told)).await?;
    }
    Ok(true)
}
