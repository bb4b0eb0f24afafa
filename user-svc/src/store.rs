//! Statements that several operations use.

use auth::Role;
use base::{Sources, UserId};
use db::{Db, DbError};
use proto::user::AccountStatus;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::Account;

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

/// An account as superadmins see it.
pub(crate) struct AccountRow {
    pub(crate) id: Uuid,
    email: String,
    role: String,
    status: String,
    created_at: OffsetDateTime,
    last_seen_at: Option<OffsetDateTime>,
    second_factor: bool,
}

impl AccountRow {
    pub(crate) fn to_wire(&self) -> proto::user::Account {
        let account = Account {
            id: UserId::from(self.id),
            email: self.email.clone(),
            role: role_from_word(&self.role),
        };
        let status = match self.status.as_str() {
            "active" => AccountStatus::Active,
            _ => AccountStatus::Disabled,
        };
        proto::user::Account {
            user: Some(account.to_wire()),
            status: status.into(),
            created_at: Some(proto::timestamp(self.created_at)),
            last_seen_at: self.last_seen_at.map(proto::timestamp),
            second_factor: self.second_factor,
        }
    }
}

/// The account with this id, or those with an id beyond another, in that order.
pub(crate) async fn select_accounts(
    conn: &mut PgConnection,
    id: Option<Uuid>,
    after: Uuid,
    most: i64,
) -> Result<Vec<AccountRow>, DbError> {
    let rows = sqlx::query_as!(
        AccountRow,
        r#"SELECT u.id, u.email, u.role, u.status, u.created_at,
                  (SELECT max(s.last_used_at) FROM sessions s WHERE s.user_id = u.id) AS last_seen_at,
                  EXISTS (SELECT FROM second_factors f
                          WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS "second_factor!"
           FROM users u WHERE u.id > $2 AND ($1::uuid IS NULL OR u.id = $1)
           ORDER BY u.id LIMIT $3"#,
        id,
        after,
        most,
    );
    Ok(rows.fetch_all(conn).await?)
}

/// One line of the audit log, written in the transaction of the change.
#[derive(Clone, Debug)]
pub(crate) struct AuditEntry {
    /// Made before the transaction, so that a repeat writes no second line.
    pub(crate) id: Uuid,
    pub(crate) at: OffsetDateTime,
    pub(crate) actor: Option<UserId>,
    pub(crate) action: &'static str,
    pub(crate) object_kind: &'static str,
    pub(crate) object_id: Uuid,
    pub(crate) before: Option<Value>,
    pub(crate) after: Value,
    pub(crate) trace_id: Option<String>,
    /// Of the client, as the edge saw it.
    pub(crate) address: Option<String>,
}

impl AuditEntry {
    /// A line about the call in hand. What was and what is now come with [`Self::before`] and
    /// [`Self::after`].
    pub(crate) fn new(
        sources: &Sources,
        actor: Option<UserId>,
        action: &'static str,
        (object_kind, object_id): (&'static str, Uuid),
    ) -> Self {
        let call = kit::current();
        Self {
            id: sources.uuid_v7(),
            at: sources.now(),
            actor,
            action,
            object_kind,
            object_id,
            before: None,
            after: Value::Null,
            trace_id: call.trace.map(|trace| trace.to_string()),
            address: call.client.map(|address| address.to_string()),
        }
    }

    pub(crate) fn before(self, before: Value) -> Self {
        Self {
            before: Some(before),
            ..self
        }
    }

    pub(crate) fn after(self, after: Value) -> Self {
        Self { after, ..self }
    }
}

pub(crate) async fn audit(conn: &mut PgConnection, entry: &AuditEntry) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO audit_log
             (id, at, actor_id, action, object_kind, object_id, before, after, trace_id,
              address)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (id) DO NOTHING",
        entry.id,
        entry.at,
        entry.actor.map(UserId::uuid),
        entry.action,
        entry.object_kind,
        entry.object_id,
        entry.before,
        entry.after,
        entry.trace_id,
        entry.address,
    )
    .execute(conn)
    .await?;
    Ok(())
}
