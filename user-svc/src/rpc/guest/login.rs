use auth::{AUDIENCE, Claims, ISSUER};
use base::{EmailAddress, UserId};
use db::DbError;
use kit::FieldProblem;
use proto::user::{LoginRequest, LoginResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{Account, check_presented_password, email_key},
    error::Error,
    passwords::StoredPassword,
    store::{self, AuditEntry, role_from_word},
};

const ACCESS_TOKEN_TTL_SECS: u32 = 600;
const SESSION_TTL: Duration = Duration::hours(12);

/// Opens a session for whoever knows an account's password. An unknown address, a wrong password
/// and a disabled account take the same time and get the same answer.
pub(crate) async fn login(app: &App, request: LoginRequest) -> Result<LoginResponse, Error> {
    let email = check_fields(&request)?;
    // Before anything is looked up: what is too much costs next to nothing.
    let place = app.passwords.place()?;
    let key = email_key(&email);
    let found = app
        .db
        .read(key, |conn, key| Box::pin(find_active(conn, key)))
        .await?;
    let (account, stored) = found.unzip();
    let known = app
        .passwords
        .verify_at(place, stored, &request.password)
        .await?;
    let account = account.filter(|_| known).ok_or(Error::InvalidCredentials)?;

    let refresh_token = app.sources.token();
    let session = new_session(app, &account, &refresh_token);
    let claims = claims(&account, &session);
    app.db
        .run(session, |conn, session| Box::pin(insert(conn, session)))
        .await?;
    let access_token = app
        .signer
        .sign(&claims)
        .map_err(|error| Error::Internal(error.into()))?;
    Ok(LoginResponse {
        access_token,
        expires_in: ACCESS_TOKEN_TTL_SECS,
        refresh_token,
        user: Some(account.to_wire()),
    })
}

fn check_fields(request: &LoginRequest) -> Result<EmailAddress, Error> {
    if let Some(problem) = check_presented_password(&request.password) {
        return Err(Error::Invalid(vec![problem]));
    }
    request.email.parse().map_err(|error: base::EmailError| {
        Error::Invalid(vec![FieldProblem::new(
            "email",
            format!("is not valid: {error}"),
        )])
    })
}

struct Session {
    id: Uuid,
    user_id: UserId,
    refresh_token_hash: [u8; 32],
    created_at: OffsetDateTime,
    audit: AuditEntry,
}

fn new_session(app: &App, account: &Account, refresh_token: &str) -> Session {
    let (id, now) = (app.sources.uuid_v7(), app.sources.now());
    Session {
        id,
        user_id: account.id,
        refresh_token_hash: base::digest(refresh_token.as_bytes()),
        created_at: now,
        audit: AuditEntry {
            id: app.sources.uuid_v7(),
            at: now,
            actor: Some(account.id),
            action: "session.opened",
            object_kind: "session",
            object_id: id,
            after: json!({"user_id": account.id}),
            trace_id: kit::current().trace.map(|trace| trace.to_string()),
        },
    }
}

fn claims(account: &Account, session: &Session) -> Claims {
    let issued = session.created_at.unix_timestamp();
    Claims {
        sub: account.id,
        role: account.role,
        iat: issued,
        exp: issued + i64::from(ACCESS_TOKEN_TTL_SECS),
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sid: session.id,
    }
}

async fn find_active(
    conn: &mut PgConnection,
    key: &str,
) -> Result<Option<(Account, StoredPassword)>, DbError> {
    let row = sqlx::query!(
        "SELECT id, email, role, password_hash, pepper_key_id
         FROM users WHERE email_key = $1 AND status = 'active'",
        key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let id = UserId::from(row.id);
        let account = Account {
            id,
            email: row.email,
            role: role_from_word(&row.role),
        };
        let stored = StoredPassword {
            user_id: id,
            hash: row.password_hash,
            pepper_key_id: row.pepper_key_id,
        };
        (account, stored)
    }))
}

/// The id is made before the transaction, so a repeat finds the row instead of adding one.
async fn insert(conn: &mut PgConnection, session: &Session) -> Result<(), DbError> {
    sqlx::query!(
        "INSERT INTO sessions
             (id, user_id, refresh_token_hash, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $4, $5)
         ON CONFLICT (id) DO NOTHING",
        session.id,
        session.user_id.uuid(),
        &session.refresh_token_hash[..],
        session.created_at,
        session.created_at + SESSION_TTL,
    )
    .execute(&mut *conn)
    .await?;
    store::audit(conn, &session.audit).await
}
