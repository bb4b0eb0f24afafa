//! An invitation and its mail: asked for by a superadmin, or by a decision about somebody who asked.

use auth::Role;
use base::{EmailAddress, MessageId, UserId};
use kit::CallContext;
use proto::{
    event::{AdminInvited, envelope::Payload},
    user::Invitation,
};
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{email_key, role_to_wire},
    error::Error,
    links::Link,
    store::{self, AuditEntry, role_from_word},
};

const TTL: Duration = Duration::days(7);

/// Made before the transaction, because that may run twice.
pub(crate) struct NewInvitation {
    id: Uuid,
    message: MessageId,
    email: EmailAddress,
    email_key: String,
    role: Role,
    invited_by: UserId,
    token_hash: [u8; 32],
    locale: String,
    sealed_link: Vec<u8>,
    at: OffsetDateTime,
    audit: AuditEntry,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

impl NewInvitation {
    pub(crate) fn new(
        app: &App,
        invited_by: UserId,
        (email, role): (EmailAddress, Role),
        locale: String,
    ) -> Self {
        let (id, token) = (app.sources.uuid_v7(), app.sources.token());
        let object = ("invitation", id);
        Self {
            id,
            message: MessageId::from(app.sources.uuid_v7()),
            email_key: email_key(&email),
            email,
            role,
            invited_by,
            token_hash: base::digest(token.as_bytes()),
            locale,
            sealed_link: app.links.sealed(&app.sources, Link::Invitation, &token),
            at: app.sources.now(),
            audit: AuditEntry::new(&app.sources, Some(invited_by), "admin.invited", object),
            context: kit::current(),
        }
    }
}

/// A row as it is told.
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) role: String,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) sent_at: OffsetDateTime,
    pub(crate) expires_at: OffsetDateTime,
}

impl Row {
    pub(crate) fn to_wire(&self) -> Invitation {
        Invitation {
            id: self.id.to_string(),
            email: self.email.clone(),
            role: role_to_wire(role_from_word(&self.role)).into(),
            created_at: Some(proto::timestamp(self.created_at)),
            sent_at: Some(proto::timestamp(self.sent_at)),
            expires_at: Some(proto::timestamp(self.expires_at)),
        }
    }
}

/// The invitation of an address, with its mail. One that is open gets another link, and its old one is dead.
pub(crate) async fn invite(conn: &mut PgConnection, new: &NewInvitation) -> Result<Row, Error> {
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE email_key = $1) AS "known!""#,
        new.email_key,
    );
    if known.fetch_one(&mut *conn).await? {
        return Err(Error::AccountExists);
    }
    sqlx::query!(
        "INSERT INTO invitations AS i
             (id, email, email_key, role, token_hash, invited_by, created_at, sent_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)
         ON CONFLICT (email_key) WHERE accepted_at IS NULL AND revoked_at IS NULL DO UPDATE SET
             email = excluded.email, role = excluded.role, token_hash = excluded.token_hash,
             invited_by = excluded.invited_by, sent_at = excluded.sent_at,
             expires_at = excluded.expires_at, number = i.number + 1
         WHERE i.token_hash <> excluded.token_hash",
        new.id,
        new.email.as_str(),
        new.email_key,
        new.role.word(),
        &new.token_hash[..],
        new.invited_by.uuid(),
        new.at,
        new.at + TTL,
    )
    .execute(&mut *conn)
    .await?;
    let stored = sqlx::query!(
        "SELECT i.id, i.email, i.role, i.number, i.created_at, i.sent_at, i.expires_at,
                u.email AS inviter
         FROM invitations i JOIN users u ON u.id = i.invited_by WHERE i.token_hash = $1",
        &new.token_hash[..],
    );
    let stored = stored.fetch_one(&mut *conn).await?;
    let mail = AdminInvited {
        id: stored.id.to_string(),
        email: stored.email.clone(),
        locale: new.locale.clone(),
        sealed_link: new.sealed_link.clone(),
        expires_at: Some(proto::timestamp(stored.expires_at)),
        invited_by: stored.inviter,
        number: stored.number.unsigned_abs(),
    };
    let enqueue = events::enqueue(conn, new.message, new.at, Payload::AdminInvited(mail));
    kit::with_context(new.context.clone(), enqueue).await?;
    let audit = AuditEntry {
        object_id: stored.id,
        after: json!({"email": stored.email, "role": stored.role, "number": stored.number}),
        ..new.audit.clone()
    };
    store::audit(conn, &audit).await?;
    Ok(Row {
        id: stored.id,
        email: stored.email,
        role: stored.role,
        created_at: stored.created_at,
        sent_at: stored.sent_at,
        expires_at: stored.expires_at,
    })
}

/// What an address has open when it gets an account at once: neither could be answered any more but by a refusal.
/// Made before the transaction, because that may run twice.
pub(crate) struct Settling {
    at: OffsetDateTime,
    decided: AuditEntry,
    revoked: AuditEntry,
}

impl Settling {
    pub(crate) fn new(app: &App, by: UserId) -> Self {
        let line = |action, kind| {
            let object = (kind, Uuid::nil());
            AuditEntry::new(&app.sources, Some(by), action, object)
        };
        Self {
            at: app.sources.now(),
            decided: line("account.decided", "account_request"),
            revoked: line("admin.invitation_revoked", "invitation"),
        }
    }

    /// Before the account is there: in the order in which others lock these, so that nobody waits in a circle.
    pub(crate) async fn settle(
        &self,
        conn: &mut PgConnection,
        email_key: &str,
    ) -> Result<(), Error> {
        // An address has at most one of each.
        let request = sqlx::query_scalar!(
            "UPDATE account_requests SET decided_at = $2
             WHERE email_key = $1 AND decided_at IS NULL RETURNING id",
            email_key,
            self.at,
        );
        if let Some(object_id) = request.fetch_optional(&mut *conn).await? {
            let line = AuditEntry {
                object_id,
                ..self.decided.clone()
            };
            store::audit(conn, &line.after(json!({"approved": true}))).await?;
        }
        let invitation = sqlx::query!(
            "UPDATE invitations SET revoked_at = $2
             WHERE email_key = $1 AND accepted_at IS NULL AND revoked_at IS NULL
             RETURNING id, email",
            email_key,
            self.at,
        );
        if let Some(invitation) = invitation.fetch_optional(&mut *conn).await? {
            let line = AuditEntry {
                object_id: invitation.id,
                ..self.revoked.clone()
            };
            store::audit(conn, &line.after(json!({"email": invitation.email}))).await?;
        }
        Ok(())
    }
}
