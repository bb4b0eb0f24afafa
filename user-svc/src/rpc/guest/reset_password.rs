use base::{EmailAddress, UserId};
use proto::user::{ResetPasswordRequest, ResetPasswordResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    accounts,
    app::App,
    attempts,
    domain::{Password, check_new_password},
    error::Error,
    limits::{self, LINKS_FROM_NETWORK},
    passwords::StoredPassword,
    sessions::{End, Ending},
    store::{self, AuditEntry},
};

/// Another password for who has the link from the mail. The link works once; all others of the account die
/// with it, and so does every session.
pub(crate) async fn reset_password(
    app: &App,
    request: ResetPasswordRequest,
) -> Result<ResetPasswordResponse, Error> {
    let password = Password::typed(&request.password);
    if let Some(problem) = check_new_password(&password, None) {
        return Err(Error::Invalid(vec![problem]));
    }
    limits::take(app, LINKS_FROM_NETWORK, &request.network).await?;
    let hash = base::digest(request.token.as_bytes());
    let found = app
        .db
        .read((hash, app.sources.now()), |conn, (hash, now)| {
            Box::pin(find(conn, *hash, *now))
        })
        .await?
        .ok_or(Error::CodeInvalid)?;
    let address: Option<EmailAddress> = found.email.parse().ok();
    if let Some(problem) = check_new_password(&password, address.as_ref()) {
        return Err(Error::Invalid(vec![problem]));
    }
    let id = found.user_id;
    let password = app
        .passwords
        .hash(id, &password, app.sources.bytes())
        .await?;
    let reset = Reset {
        id: found.reset_id,
        password,
        network: attempts::known(app, &request.network),
        at: app.sources.now(),
        end: End::new(&app.sources, Ending::Password),
        audit: AuditEntry::new(
            &app.sources,
            Some(id),
            "user.password_reset",
            ("user", id.uuid()),
        ),
    };
    app.db
        .run(reset, |conn, reset| Box::pin(apply(conn, reset)))
        .await?;
    app.board.nudge();
    Ok(ResetPasswordResponse {})
}

struct Found {
    reset_id: Uuid,
    user_id: UserId,
    email: String,
}

async fn find(
    conn: &mut PgConnection,
    hash: [u8; 32],
    now: OffsetDateTime,
) -> Result<Option<Found>, Error> {
    let found = sqlx::query!(
        "SELECT r.id, r.user_id, u.email FROM password_resets r JOIN users u ON u.id = r.user_id
         WHERE r.token_hash = $1 AND r.expires_at > $2 AND r.used_at IS NULL
           AND u.status = 'active'",
        &hash[..],
        now,
    );
    let found = found.fetch_optional(conn).await?;
    Ok(found.map(|row| Found {
        reset_id: row.id,
        user_id: UserId::from(row.user_id),
        email: row.email,
    }))
}

struct Reset {
    id: Uuid,
    password: StoredPassword,
    network: [u8; 32],
    at: OffsetDateTime,
    end: End,
    audit: AuditEntry,
}

async fn apply(conn: &mut PgConnection, reset: &Reset) -> Result<(), Error> {
    accounts::lock(conn, reset.password.user_id).await?;
    let used = sqlx::query!(
        "UPDATE password_resets SET used_at = $2 WHERE id = $1 AND used_at IS NULL",
        reset.id,
        reset.at,
    )
    .execute(&mut *conn)
    .await?;
    if used.rows_affected() == 0 && !is_ours(conn, &reset.password).await? {
        return Err(Error::CodeInvalid);
    }
    if !accounts::set_password(conn, &reset.password, None).await? {
        return Err(Error::CodeInvalid);
    }
    let of = reset.password.user_id;
    accounts::end_resets(conn, of, reset.at).await?;
    // Whoever is slowed down by strangers has a way around them.
    attempts::know(conn, (of, &reset.network), reset.at).await?;
    let ended = accounts::end_sessions(conn, &reset.end, (of, None), of).await?;
    let audit = reset.audit.clone().after(json!({"sessions_ended": ended}));
    store::audit(conn, &audit).await?;
    Ok(())
}

/// True where an earlier attempt of this very call was committed and its answer got lost: salts are random.
async fn is_ours(conn: &mut PgConnection, password: &StoredPassword) -> Result<bool, Error> {
    let ours = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE id = $1 AND password_hash = $2) AS "ours!""#,
        password.user_id.uuid(),
        password.hash,
    );
    Ok(ours.fetch_one(conn).await?)
}
