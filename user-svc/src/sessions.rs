//! What several operations do to sessions: open one, end one, end all of an account.

use base::{Sources, UserId};
use db::DbError;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{
        Account,
        session::{SESSION_TTL, shown_client, shown_network},
    },
    store::{self, AuditEntry, role_from_word},
    tokens::SignedIn,
};

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Logout,
    /// Its owner or a superadmin ended it.
    Revoked,
    /// A refresh token came twice.
    Reuse,
    /// The account got another password.
    Password,
    /// The account got a second factor, and the session was opened without.
    SecondFactor,
    /// The account was disabled.
    Disabled,
}

impl Ending {
    fn word(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Revoked => "revoked",
            Self::Reuse => "reuse",
            Self::Password => "password",
            Self::SecondFactor => "second_factor",
            Self::Disabled => "disabled",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Logout => "session.closed",
            Self::Revoked | Self::Password | Self::SecondFactor | Self::Disabled => {
                "session.revoked"
            }
            Self::Reuse => "session.reuse_detected",
        }
    }
}

/// A session that is to be opened for somebody who has proven who they are.
pub(crate) struct NewSession {
    id: Uuid,
    user_id: UserId,
    /// The hash that was verified: another one by now is another password.
    password_hash: String,
    refresh_token_hash: [u8; 32],
    created_at: OffsetDateTime,
    network: Option<String>,
    user_agent: Option<String>,
    audit: AuditEntry,
}

/// Where somebody signs in from.
pub(crate) struct Origin<'a> {
    pub(crate) network: &'a str,
    pub(crate) user_agent: &'a str,
}

impl NewSession {
    pub(crate) fn new(
        sources: &Sources,
        (user_id, password_hash): (UserId, String),
        refresh_token: &str,
        origin: &Origin<'_>,
    ) -> Self {
        let id = sources.uuid_v7();
        let audit = AuditEntry::new(sources, Some(user_id), "session.opened", ("session", id));
        Self {
            id,
            user_id,
            password_hash,
            refresh_token_hash: base::digest(refresh_token.as_bytes()),
            created_at: sources.now(),
            network: shown_network(origin.network),
            user_agent: shown_client(origin.user_agent),
            audit: audit.after(json!({"user_id": user_id})),
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn user_id(&self) -> UserId {
        self.user_id
    }

    pub(crate) fn created_at(&self) -> OffsetDateTime {
        self.created_at
    }
}

/// An account that is locked until the session is open: whoever changes it waits, or has changed it.
pub(crate) struct Locked {
    email: String,
    role: String,
    token_generation: i32,
}

/// None where the account was disabled, or got another password, since it was looked at.
pub(crate) async fn lock_account(
    conn: &mut PgConnection,
    new: &NewSession,
) -> Result<Option<Locked>, DbError> {
    let locked = sqlx::query_as!(
        Locked,
        "SELECT email, role, token_generation FROM users
         WHERE id = $1 AND status = 'active' AND password_hash = $2 FOR SHARE",
        new.user_id.uuid(),
        new.password_hash,
    );
    Ok(locked.fetch_optional(conn).await?)
}

/// The id is made before the transaction, so a repeat finds the row instead of adding one.
pub(crate) async fn open(
    conn: &mut PgConnection,
    new: &NewSession,
    user: Locked,
) -> Result<SignedIn, DbError> {
    let expires_at = new.created_at + SESSION_TTL;
    sqlx::query!(
        "INSERT INTO sessions
             (id, user_id, created_at, last_used_at, expires_at, network, user_agent)
         VALUES ($1, $2, $3, $3, $4, $5, $6)
         ON CONFLICT (id) DO NOTHING",
        new.id,
        new.user_id.uuid(),
        new.created_at,
        expires_at,
        new.network,
        new.user_agent,
    )
    .execute(&mut *conn)
    .await?;
    insert_token(conn, (new.id, &new.refresh_token_hash), new.created_at).await?;
    store::audit(conn, &new.audit).await?;
    Ok(SignedIn {
        account: Account {
            id: new.user_id,
            email: user.email,
            role: role_from_word(&user.role),
        },
        generation: user.token_generation,
        session_id: new.id,
        session_expires_at: expires_at,
    })
}

/// The one good refresh token of a session from now on.
pub(crate) async fn insert_token(
    conn: &mut PgConnection,
    (session_id, hash): (Uuid, &[u8; 32]),
    now: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO refresh_tokens (token_hash, session_id, issued_at) VALUES ($1, $2, $3)
         ON CONFLICT (token_hash) DO NOTHING",
        &hash[..],
        session_id,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The end of a session. Made before the transaction, because that may run twice.
#[derive(Clone, Debug)]
pub(crate) struct End {
    because: Ending,
    at: OffsetDateTime,
    audit: AuditEntry,
    sources: Sources,
}

impl End {
    pub(crate) fn new(sources: &Sources, because: Ending) -> Self {
        let nobody_yet = ("session", Uuid::nil());
        Self {
            because,
            at: sources.now(),
            audit: AuditEntry::new(sources, None, because.action(), nobody_yet),
            sources: sources.clone(),
        }
    }

    pub(crate) fn at(&self) -> OffsetDateTime {
        self.at
    }

    fn line(&self, (session_id, owner): (Uuid, UserId), actor: Option<UserId>) -> AuditEntry {
        AuditEntry {
            actor,
            object_id: session_id,
            after: json!({"user_id": owner, "because": self.because.word()}),
            ..self.audit.clone()
        }
    }

    /// A key that ends for the same reason. A repeat finds none that is alive, so the id of a line is made here.
    pub(crate) fn line_of_key(
        &self,
        (key_id, name): (Uuid, &str),
        owner: UserId,
        actor: UserId,
    ) -> AuditEntry {
        AuditEntry {
            id: self.sources.uuid_v7(),
            actor: Some(actor),
            action: "api_key.revoked",
            object_kind: "api_key",
            object_id: key_id,
            after: json!({"user_id": owner, "name": name, "because": self.because.word()}),
            ..self.audit.clone()
        }
    }
}

/// Ends a session that is still open; its access tokens die with it. False where it had ended before.
pub(crate) async fn end(
    conn: &mut PgConnection,
    end: &End,
    (session_id, owner): (Uuid, UserId),
    actor: Option<UserId>,
) -> Result<bool, DbError> {
    let ended = sqlx::query!(
        "UPDATE sessions SET revoked_at = $2, revoked_because = $3
         WHERE id = $1 AND revoked_at IS NULL",
        session_id,
        end.at,
        end.because.word(),
    )
    .execute(&mut *conn)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(false);
    }
    let line = end.line((session_id, owner), actor);
    store::audit(conn, &line).await?;
    Ok(true)
}

/// Ends the open sessions of an account, but for one. How many they were. The account is locked before.
pub(crate) async fn end_all(
    conn: &mut PgConnection,
    end: &End,
    (of, but): (UserId, Option<Uuid>),
    actor: UserId,
) -> Result<usize, DbError> {
    let ended = sqlx::query_scalar!(
        "UPDATE sessions SET revoked_at = $3, revoked_because = $4
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $3
           AND ($2::uuid IS NULL OR id <> $2)
         RETURNING id",
        of.uuid(),
        but,
        end.at,
        end.because.word(),
    )
    .fetch_all(&mut *conn)
    .await?;
    for session_id in &ended {
        // A repeat finds none that is open, so the id of a line may be made here.
        let line = AuditEntry {
            id: end.sources.uuid_v7(),
            ..end.line((*session_id, of), Some(actor))
        };
        store::audit(conn, &line).await?;
    }
    Ok(ended.len())
}
