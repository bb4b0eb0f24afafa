use base::{EmailAddress, MessageId, UserId, bounded};
use kit::{CallContext, FieldProblem};
use proto::{
    event::{PasswordResetRequested, envelope::Payload},
    user::{RequestPasswordResetRequest, RequestPasswordResetResponse},
};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{LOCALE_MAX_CHARS, email_key},
    error::Error,
    limits::{
        self, RESET_LINK_TTL, RESETS_FROM_NETWORK, RESETS_TO_ADDRESS, RESETS_TO_ADDRESS_IN_ALL,
    },
    links::Link,
    store::{self, AuditEntry},
};

/// A link goes to the address if an active account has it. Whether one has, only its mailbox learns.
pub(crate) async fn request_password_reset(
    app: &App,
    request: RequestPasswordResetRequest,
) -> Result<RequestPasswordResetResponse, Error> {
    let email = check_fields(&request)?;
    let address = email_key(&email);
    limits::take(app, RESETS_FROM_NETWORK, &request.network).await?;
    let both = format!("{address} {}", request.network);
    limits::take(app, RESETS_TO_ADDRESS, &both).await?;
    limits::take(app, RESETS_TO_ADDRESS_IN_ALL, &address).await?;
    let token = app.sources.token();
    let (id, now) = (app.sources.uuid_v7(), app.sources.now());
    let object = ("password_reset", id);
    let new = NewReset {
        id,
        token_hash: base::digest(token.as_bytes()),
        email_key: address,
        at: now,
        mail: PasswordResetRequested {
            id: id.to_string(),
            email: String::new(),
            locale: request.locale,
            sealed_link: app.links.sealed(&app.sources, Link::PasswordReset, &token),
            expires_at: Some(proto::timestamp(now + RESET_LINK_TTL)),
        },
        audit: AuditEntry::new(&app.sources, None, "password.reset_requested", object),
        context: kit::current(),
    };
    let insert = app.db.run(new, |conn, new| Box::pin(insert(conn, new)));
    limits::evenly(async {
        insert.await?;
        app.mails.notify_one();
        Ok(())
    })
    .await?;
    Ok(RequestPasswordResetResponse {})
}

fn check_fields(request: &RequestPasswordResetRequest) -> Result<EmailAddress, Error> {
    let mut problems = Vec::new();
    let email = request.email.parse::<EmailAddress>();
    if let Err(error) = &email {
        problems.push(FieldProblem::new("email", format!("is not valid: {error}")));
    }
    if let Err(error) = bounded("locale", &request.locale, 0, LOCALE_MAX_CHARS) {
        problems.push(FieldProblem::new("locale", error.problem));
    }
    match email {
        Ok(email) if problems.is_empty() => Ok(email),
        _ => Err(Error::Invalid(problems)),
    }
}

struct NewReset {
    id: Uuid,
    token_hash: [u8; 32],
    email_key: String,
    at: OffsetDateTime,
    mail: PasswordResetRequested,
    audit: AuditEntry,
    /// Database work has no call in hand, and the message carries on its trace.
    context: CallContext,
}

async fn insert(conn: &mut PgConnection, new: &NewReset) -> Result<(), Error> {
    let user = sqlx::query!(
        "SELECT id, email FROM users WHERE email_key = $1 AND status = 'active'",
        new.email_key,
    );
    let Some(user) = user.fetch_optional(&mut *conn).await? else {
        return Ok(());
    };
    sqlx::query!(
        "INSERT INTO password_resets (id, user_id, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
        new.id,
        user.id,
        &new.token_hash[..],
        new.at,
        new.at + RESET_LINK_TTL,
    )
    .execute(&mut *conn)
    .await?;
    // To the address of the account, however it was typed now.
    let mail = PasswordResetRequested {
        email: user.email,
        ..new.mail.clone()
    };
    let payload = Payload::PasswordResetRequested(mail);
    let enqueue = events::enqueue(conn, MessageId::from(new.id), new.at, payload);
    kit::with_context(new.context.clone(), enqueue).await?;
    let user_id = UserId::from(user.id);
    let audit = new.audit.clone().after(json!({"user_id": user_id}));
    store::audit(conn, &audit).await?;
    Ok(())
}
