//! What several operations do to accounts.

use base::UserId;
use db::DbError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::Account,
    error::Error,
    passwords::StoredPassword,
    sessions::{self, End},
    store,
};

/// An account that is to be, made before the transaction, because that may run twice.
pub(crate) struct NewAccount {
    pub(crate) account: Account,
    pub(crate) email_key: String,
    pub(crate) password: StoredPassword,
    pub(crate) at: OffsetDateTime,
}

/// Error::AccountExists where the address has one.
pub(crate) async fn insert(conn: &mut PgConnection, new: &NewAccount) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO users (id, email, email_key, password_hash, pepper_key_id, role, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO NOTHING",
        new.account.id.uuid(),
        new.account.email,
        new.email_key,
        new.password.hash,
        new.password.pepper_key_id,
        new.account.role.word(),
        new.at,
    )
    .execute(conn)
    .await
    .map_err(account_exists)?;
    Ok(())
}

fn account_exists(error: sqlx::Error) -> Error {
    let error = DbError::from(error);
    match error.constraint() {
        Some("users_email_key_unique") => Error::AccountExists,
        _ => error.into(),
    }
}

/// Another password for an active account, with `instead_of` for who must still have that one. False where
/// the account is not so. A repeat finds the password that it has set.
pub(crate) async fn set_password(
    conn: &mut PgConnection,
    password: &StoredPassword,
    instead_of: Option<&str>,
) -> Result<bool, DbError> {
    let set = sqlx::query!(
        "UPDATE users SET password_hash = $2, pepper_key_id = $3
         WHERE id = $1 AND status = 'active'
           AND ($4::text IS NULL OR password_hash IN ($4, $2))",
        password.user_id.uuid(),
        password.hash,
        password.pepper_key_id,
        instead_of,
    );
    Ok(set.execute(conn).await?.rows_affected() == 1)
}

/// Whoever changes what belongs to an account changes the account first, or locks it like this: one order for
/// all, account, then sessions and the rest, so that two wait for each other and not in a circle.
pub(crate) async fn lock(conn: &mut PgConnection, id: UserId) -> Result<(), DbError> {
    sqlx::query!(
        "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE",
        id.uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

/// Ends the open sessions of an account, but for one, and its API keys: whoever must be kept out could have made
/// some. How many sessions they were; each has its line in the record, and so has each key.
pub(crate) async fn end_sessions(
    conn: &mut PgConnection,
    end: &End,
    (of, but): (UserId, Option<Uuid>),
    actor: UserId,
) -> Result<usize, DbError> {
    let ended = sessions::end_all(conn, end, (of, but), actor).await?;
    let keys = sqlx::query!(
        "UPDATE api_keys SET revoked_at = $2
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
         RETURNING id, name",
        of.uuid(),
        end.at(),
    )
    .fetch_all(&mut *conn)
    .await?;
    for key in &keys {
        let line = end.line_of_key((key.id, &key.name), of, actor);
        store::audit(conn, &line).await?;
    }
    Ok(ended)
}

/// Links to choose a password that are still about lead nowhere from now on.
pub(crate) async fn end_resets(
    conn: &mut PgConnection,
    of: UserId,
    at: OffsetDateTime,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE password_resets SET used_at = $2 WHERE user_id = $1 AND used_at IS NULL",
        of.uuid(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
