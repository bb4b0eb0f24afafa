use base::{EmailAddress, bounded};
use kit::FieldProblem;
use proto::user::{RequestAccountRequest, RequestAccountResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{LOCALE_MAX_CHARS, email_key},
    error::Error,
    limits::{self, REQUESTS_FROM_NETWORK, REQUESTS_IN_ALL},
    store::{self, AuditEntry},
};

const NOTE_MAX_CHARS: usize = 500;

/// Keeps a wish for an account until a superadmin decides. Nothing is mailed before that, and the answer is
/// the same for who has an account, has asked already, or is new.
pub(crate) async fn request_account(
    app: &App,
    request: RequestAccountRequest,
) -> Result<RequestAccountResponse, Error> {
    let email = check_fields(&request)?;
    limits::take(app, REQUESTS_FROM_NETWORK, &request.network).await?;
    limits::take(app, REQUESTS_IN_ALL, "").await?;
    let id = app.sources.uuid_v7();
    let object = ("account_request", id);
    let audit = AuditEntry::new(&app.sources, None, "account.requested", object);
    let wish = Wish {
        id,
        email: email.to_string(),
        email_key: email_key(&email),
        note: request.note,
        locale: request.locale,
        at: app.sources.now(),
        audit: audit.after(json!({"email": email.as_str()})),
    };
    let insert = app.db.run(wish, |conn, wish| Box::pin(insert(conn, wish)));
    limits::evenly(insert).await?;
    Ok(RequestAccountResponse {})
}

fn check_fields(request: &RequestAccountRequest) -> Result<EmailAddress, Error> {
    let mut problems = Vec::new();
    let mut problem = |field: &str, rule: String| problems.push(FieldProblem::new(field, rule));
    let email = request.email.parse::<EmailAddress>();
    if let Err(error) = &email {
        problem("email", format!("is not valid: {error}"));
    }
    if let Err(error) = bounded("note", &request.note, 0, NOTE_MAX_CHARS) {
        problem("note", error.problem.to_string());
    }
    if let Err(error) = bounded("locale", &request.locale, 0, LOCALE_MAX_CHARS) {
        problem("locale", error.problem.to_string());
    }
    match email {
        Ok(email) if problems.is_empty() => Ok(email),
        _ => Err(Error::Invalid(problems)),
    }
}

struct Wish {
    id: Uuid,
    email: String,
    email_key: String,
    note: String,
    locale: String,
    at: OffsetDateTime,
    audit: AuditEntry,
}

async fn insert(conn: &mut PgConnection, wish: &Wish) -> Result<(), Error> {
    let inserted = sqlx::query!(
        "INSERT INTO account_requests (id, email, email_key, note, locale, created_at)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE NOT EXISTS (SELECT FROM users WHERE email_key = $3)
         ON CONFLICT DO NOTHING",
        wish.id,
        wish.email,
        wish.email_key,
        wish.note,
        wish.locale,
        wish.at,
    )
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() == 1 {
        store::audit(conn, &wish.audit).await?;
    }
    Ok(())
}
