use base::{UserId, bounded};
use kit::{Admin, FieldProblem};
use proto::{
    Scopes,
    user::{CreateApiKeyRequest, CreateApiKeyResponse},
};
use serde_json::json;
use sqlx::PgConnection;
use time::Duration;

use super::own_password;
use crate::{
    api_keys::{KEYS_MAX, Row, secret_of},
    app::App,
    error::Error,
    store::{self, AuditEntry},
};

const NAME_MAX_CHARS: usize = 100;
const SCOPES_MAX: usize = 8;
const DAYS_MAX: u32 = 366;

/// A key for a program, which can do what its account can, within its scopes and until it expires. It takes
/// the password, because it outlives the session that asks.
pub(crate) async fn create_api_key(
    app: &App,
    admin: Admin,
    request: CreateApiKeyRequest,
) -> Result<CreateApiKeyResponse, Error> {
    let mut scopes = request.scopes.clone();
    scopes.sort();
    scopes.dedup();
    check_fields(&request, &scopes)?;
    let password = ("password", request.password.as_str());
    own_password::verify(app, admin, password).await?;
    let secret = secret_of(&app.sources.token());
    let (id, now) = (app.sources.uuid_v7(), app.sources.now());
    let row = Row {
        id,
        name: request.name,
        scopes,
        created_at: now,
        expires_at: now + Duration::days(i64::from(request.days)),
        last_used_at: None,
        last_network: None,
    };
    let audit = AuditEntry::new(
        &app.sources,
        Some(admin.id),
        "api_key.created",
        ("api_key", id),
    );
    let told = json!({"user_id": admin.id, "name": row.name, "scopes": row.scopes});
    let made = row.to_wire();
    let new = NewKey {
        of: admin.id,
        row,
        secret_hash: base::digest(secret.as_bytes()),
        audit: audit.after(told),
    };
    app.db
        .run(new, |conn, new| Box::pin(insert(conn, new)))
        .await?;
    Ok(CreateApiKeyResponse {
        key: Some(made),
        secret,
    })
}

fn check_fields(request: &CreateApiKeyRequest, scopes: &[String]) -> Result<(), Error> {
    let mut problems = Vec::new();
    if let Err(error) = bounded("name", &request.name, 1, NAME_MAX_CHARS) {
        problems.push(FieldProblem::new("name", error.problem));
    }
    let known = |word: &String| Scopes::NONE.with(word).is_some();
    if !(1..=SCOPES_MAX).contains(&scopes.len()) || !scopes.iter().all(known) {
        let rule = "must be of `events`, `orders`, `messages`, `record` with `:read` or `:write`";
        problems.push(FieldProblem::new("scopes", rule));
    }
    if !(1..=DAYS_MAX).contains(&request.days) {
        let rule = format!("must be 1 to {DAYS_MAX}");
        problems.push(FieldProblem::new("days", rule));
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::Invalid(problems)),
    }
}

struct NewKey {
    of: UserId,
    row: Row,
    secret_hash: [u8; 32],
    audit: AuditEntry,
}

async fn insert(conn: &mut PgConnection, new: &NewKey) -> Result<(), Error> {
    let (of, row) = (new.of.uuid(), &new.row);
    // Of two keys at once the second counts the first.
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR UPDATE", of)
        .fetch_optional(&mut *conn)
        .await?;
    let inserted = sqlx::query!(
        "INSERT INTO api_keys (id, user_id, name, secret_hash, scopes, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        row.id,
        of,
        row.name,
        &new.secret_hash[..],
        &row.scopes,
        row.created_at,
        row.expires_at,
    );
    inserted.execute(&mut *conn).await?;
    let good = sqlx::query_scalar!(
        r#"SELECT count(*) AS "good!" FROM api_keys
           WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2"#,
        of,
        row.created_at,
    );
    if good.fetch_one(&mut *conn).await? > KEYS_MAX {
        let rule = format!("are {KEYS_MAX} already, revoke one first");
        return Err(Error::Invalid(vec![FieldProblem::new("keys", rule)]));
    }
    store::audit(conn, &new.audit).await?;
    Ok(())
}
