//! What several operations do to accounts.

use base::UserId;
use db::DbError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::passwords::StoredPassword;

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

/// Ends the open sessions of an account, but for one, and its API keys: whoever must be kept out could have made
/// some. How many sessions they were.
pub(crate) async fn end_sessions(
    conn: &mut PgConnection,
    (of, but): (UserId, Option<Uuid>),
    because: &str,
    at: OffsetDateTime,
) -> Result<u64, DbError> {
    let ended = sqlx::query!(
        "UPDATE sessions SET revoked_at = $3, revoked_because = $4
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $3
           AND ($2::uuid IS NULL OR id <> $2)",
        of.uuid(),
        but,
        at,
        because,
    );
    let ended = ended.execute(&mut *conn).await?.rows_affected();
    sqlx::query!(
        "UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL",
        of.uuid(),
        at,
    )
    .execute(conn)
    .await?;
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
