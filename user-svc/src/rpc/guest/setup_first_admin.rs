use auth::Role;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base::{EmailAddress, UserId};
use kit::FieldProblem;
use proto::user::{SetupFirstAdminRequest, SetupFirstAdminResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{Account, Password, check_new_password, email_key},
    error::Error,
    passwords::StoredPassword,
    store::{self, AuditEntry},
};

/// Makes the first superadmin, once per installation. Of racing calls one wins.
pub(crate) async fn setup_first_admin(
    app: &App,
    request: SetupFirstAdminRequest,
) -> Result<SetupFirstAdminResponse, Error> {
    check_token(app, &request.setup_token)?;
    let password = Password::typed(&request.password);
    let email = check_fields(&request, &password)?;
    // Spares a hash; the insert decides.
    if store::has_users(&app.db).await? {
        return Err(Error::SetupNotAvailable);
    }
    let id = UserId::new(&app.sources);
    let password = app
        .passwords
        .hash(id, &password, app.sources.bytes())
        .await?;
    let founder = Founder {
        account: Account {
            id,
            email: email.to_string(),
            role: Role::Superadmin,
        },
        email_key: email_key(&email),
        password,
        created_at: app.sources.now(),
        audit: AuditEntry::new(&app.sources, None, "user.founded", ("user", id.uuid()))
            .after(json!({"email": email.as_str(), "role": "superadmin"})),
    };
    let account = app
        .db
        .run(founder, |conn, founder| Box::pin(insert(conn, founder)))
        .await?;
    Ok(SetupFirstAdminResponse {
        user: Some(account.to_wire()),
    })
}

/// Without a configured token nothing fits.
fn check_token(app: &App, presented: &str) -> Result<(), Error> {
    let token = app.setup_token.as_ref().ok_or(Error::SetupNotAvailable)?;
    // Digests have one length, so the time tells nothing of the token's either.
    let (right, presented) = (
        base::digest(token.expose().as_bytes()),
        base::digest(presented.as_bytes()),
    );
    verify_slices_are_equal(&right, &presented).map_err(|_| Error::WrongSetupToken)
}

fn check_fields(
    request: &SetupFirstAdminRequest,
    password: &Password,
) -> Result<EmailAddress, Error> {
    let email = request.email.parse::<EmailAddress>();
    let bad_password = check_new_password(password, email.as_ref().ok());
    match (email, bad_password) {
        (Ok(email), None) => Ok(email),
        (Ok(_), Some(problem)) => Err(Error::Invalid(vec![problem])),
        (Err(error), bad_password) => {
            let bad_email = FieldProblem::new("email", format!("is not valid: {error}"));
            Err(Error::Invalid(
                [Some(bad_email), bad_password]
                    .into_iter()
                    .flatten()
                    .collect(),
            ))
        }
    }
}

struct Founder {
    account: Account,
    email_key: String,
    password: StoredPassword,
    created_at: OffsetDateTime,
    audit: AuditEntry,
}

/// Two rules of one statement: there is no account yet, and (by a unique index, which also stops
/// a racing call) no other founder.
async fn insert(conn: &mut PgConnection, founder: &Founder) -> Result<Account, Error> {
    let inserted = sqlx::query!(
        "INSERT INTO users
             (id, email, email_key, password_hash, pepper_key_id, role, founder, created_at)
         SELECT $1, $2, $3, $4, $5, 'superadmin', true, $6
         WHERE NOT EXISTS (SELECT FROM users)
         ON CONFLICT DO NOTHING",
        founder.account.id.uuid(),
        founder.account.email,
        founder.email_key,
        founder.password.hash,
        founder.password.pepper_key_id,
        founder.created_at,
    )
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() == 0 && !is_ours(conn, founder).await? {
        return Err(Error::SetupNotAvailable);
    }
    store::audit(conn, &founder.audit).await?;
    Ok(founder.account.clone())
}

/// True where an earlier attempt of this very call was committed and its answer got lost.
async fn is_ours(conn: &mut PgConnection, founder: &Founder) -> Result<bool, Error> {
    let ours = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE id = $1) AS "ours!""#,
        founder.account.id.uuid(),
    )
    .fetch_one(conn)
    .await?;
    Ok(ours)
}
