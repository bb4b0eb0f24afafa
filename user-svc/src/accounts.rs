//! What several operations do to accounts.

use base::UserId;
use db::DbError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    passwords::StoredPassword,
    sessions::{self, End},
    store,
};

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
