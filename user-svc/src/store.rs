//! Statements that several operations use.

use auth::Role;
use base::UserId;
use db::{Db, DbError};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// Whether any account exists, of whatever status.
pub(crate) async fn has_users(db: &Db) -> Result<bool, DbError> {
    db.read((), |conn, ()| {
        Box::pin(async move {
            let has_users =
                sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM users) AS "has_users!""#)
                    .fetch_one(conn)
                    .await?;
            Ok(has_users)
        })
    })
    .await
}

/// The schema allows two words; whatever else is there gets the lesser right.
pub(crate) fn role_from_word(word: &str) -> Role {
    match word {
        "superadmin" => Role::Superadmin,
        _ => Role::Admin,
    }
}

/// One line of the audit log, written in the transaction of the change.
pub(crate) struct AuditEntry {
    /// Made before the transaction, so that a repeat writes no second line.
    pub(crate) id: Uuid,
    pub(crate) at: OffsetDateTime,
    pub(crate) actor: Option<UserId>,
    pub(crate) action: &'static str,
    pub(crate) object_kind: &'static str,
    pub(crate) object_id: Uuid,
    pub(crate) after: serde_json::Value,
    pub(crate) trace_id: Option<String>,
}

pub(crate) async fn audit(conn: &mut PgConnection, entry: &AuditEntry) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO audit_log
             (id, at, actor_id, action, object_kind, object_id, after, trace_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO NOTHING",
        entry.id,
        entry.at,
        entry.actor.map(UserId::uuid),
        entry.action,
        entry.object_kind,
        entry.object_id,
        entry.after,
        entry.trace_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}
