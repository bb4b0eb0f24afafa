use auth::Role;
use base::{EmailAddress, UserId};
use kit::FieldProblem;
use proto::user::{RegisterRequest, RegisterResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    accounts::{self, NewAccount},
    app::App,
    domain::{Account, Password, check_new_password, email_key},
    error::Error,
    limits::{self, LINKS_FROM_NETWORK},
    store::{self, AuditEntry, role_from_word},
};

/// Makes the account that an invitation is for. It works once, until it expires, for its address only, and
/// every way in which it does not fit gets one answer.
pub(crate) async fn register(
    app: &App,
    request: RegisterRequest,
) -> Result<RegisterResponse, Error> {
    let password = Password::typed(&request.password);
    let email = check_fields(&request, &password)?;
    limits::take(app, LINKS_FROM_NETWORK, &request.network).await?;
    let hash = base::digest(request.invitation.as_bytes());
    let key = email_key(&email);
    let invitation = app
        .db
        .read((hash, key.clone(), app.sources.now()), |conn, wish| {
            Box::pin(find(conn, wish))
        })
        .await?
        .ok_or(Error::CodeInvalid)?;
    let id = UserId::new(&app.sources);
    let password = app
        .passwords
        .hash(id, &password, app.sources.bytes())
        .await?;
    let account = Account {
        id,
        email: email.to_string(),
        role: invitation.role,
    };
    let audit = AuditEntry::new(
        &app.sources,
        Some(id),
        "user.registered",
        ("user", id.uuid()),
    );
    let new = Registration {
        audit: audit.after(json!({
            "email": account.email, "role": account.role, "invitation": invitation.id,
        })),
        account: NewAccount {
            account,
            email_key: key,
            password,
            at: app.sources.now(),
        },
        invitation: invitation.id,
        token_hash: hash,
    };
    let account = app
        .db
        .run(new, |conn, new| Box::pin(insert(conn, new)))
        .await?;
    Ok(RegisterResponse {
        user: Some(account.to_wire()),
    })
}

fn check_fields(request: &RegisterRequest, password: &Password) -> Result<EmailAddress, Error> {
    let email = request.email.parse::<EmailAddress>();
    let mut problems = Vec::new();
    if let Err(error) = &email {
        problems.push(FieldProblem::new("email", format!("is not valid: {error}")));
    }
    problems.extend(check_new_password(password, email.as_ref().ok()));
    match email {
        Ok(email) if problems.is_empty() => Ok(email),
        _ => Err(Error::Invalid(problems)),
    }
}

struct Found {
    id: Uuid,
    role: Role,
}

async fn find(
    conn: &mut PgConnection,
    (hash, email_key, now): &([u8; 32], String, OffsetDateTime),
) -> Result<Option<Found>, Error> {
    let found = sqlx::query!(
        "SELECT id, role FROM invitations
         WHERE token_hash = $1 AND email_key = $2 AND expires_at > $3
           AND accepted_at IS NULL AND revoked_at IS NULL
           AND EXISTS (SELECT FROM users u WHERE u.id = invited_by
                         AND (u.status, u.role) = ('active', 'superadmin'))",
        &hash[..],
        email_key,
        now,
    );
    let found = found.fetch_optional(conn).await?;
    Ok(found.map(|row| Found {
        id: row.id,
        role: role_from_word(&row.role),
    }))
}

struct Registration {
    account: NewAccount,
    invitation: Uuid,
    token_hash: [u8; 32],
    audit: AuditEntry,
}

async fn insert(conn: &mut PgConnection, new: &Registration) -> Result<Account, Error> {
    accounts::insert(conn, &new.account).await?;
    let account = &new.account.account;
    // The link may have been replaced or taken back since it was looked at.
    let accepted = sqlx::query!(
        "UPDATE invitations SET accepted_at = $3, user_id = $4
         WHERE id = $1 AND token_hash = $2 AND revoked_at IS NULL
           AND (accepted_at IS NULL OR user_id = $4)
           -- Nobody gives what they have no more.
           AND EXISTS (SELECT FROM users u WHERE u.id = invited_by
                         AND (u.status, u.role) = ('active', 'superadmin'))",
        new.invitation,
        &new.token_hash[..],
        new.account.at,
        account.id.uuid(),
    )
    .execute(&mut *conn)
    .await?;
    if accepted.rows_affected() == 0 {
        return Err(Error::CodeInvalid);
    }
    store::audit(conn, &new.audit).await?;
    Ok(account.clone())
}
