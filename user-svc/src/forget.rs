//! What is of no use any more is deleted: counts whose window is over, networks nobody came from for long,
//! sessions, links, invitations and keys that ended long ago, secrets that nobody has confirmed, wishes that nobody has
//! decided. In small bites, so that nobody waits behind them. The record keeps what happened.

use std::{sync::Arc, time::Duration as StdDuration};

use kit::Tasks;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

use crate::{
    app::App,
    domain::{
        delay::{FORGOTTEN_AFTER, NETWORK_KNOWN_FOR},
        totp::BEGUN_FOR,
    },
    error::Error,
    signing,
};

const EVERY: StdDuration = StdDuration::from_secs(600);
/// Of each kind, in one transaction.
const BATCH_ROWS: i64 = 1_000;
/// Longer than the longest window of `limits.rs`.
const LIMITS_KEPT: Duration = Duration::days(2);
/// After the end of their session.
const TOKENS_KEPT: Duration = Duration::days(1);
/// After their end, for whoever looks where somebody signed in and who was invited.
const SESSIONS_KEPT: Duration = Duration::days(90);
const INVITATIONS_KEPT: Duration = Duration::days(90);
const REQUESTS_KEPT: Duration = Duration::days(90);
const KEYS_KEPT: Duration = Duration::days(90);
/// After it was made. Anybody makes one, and the list shows the latest only; whoever is forgotten may ask again.
const UNDECIDED_KEPT: Duration = Duration::days(30);
const RESETS_KEPT: Duration = Duration::days(30);

pub(crate) fn start(tasks: &Tasks, app: &Arc<App>) {
    let app = app.clone();
    let nudge = Arc::new(Notify::new());
    tasks.job("forget", EVERY, nudge, move || {
        let app = app.clone();
        async move {
            let now = app.sources.now();
            let forgotten = app.db.run(now, |conn, now| Box::pin(forget(conn, *now)));
            let most = forgotten.await.map_err(anyhow::Error::new)?;
            Ok(most >= BATCH_ROWS.unsigned_abs())
        }
    });
}

/// How many rows of a kind were deleted at most: where that is a whole batch, there may be more.
async fn forget(conn: &mut PgConnection, now: OffsetDateTime) -> Result<u64, Error> {
    signing::retire(conn, now).await?;
    let most = [
        forget_counts(conn, now).await?,
        forget_sessions(conn, now).await?,
        forget_ways_in(conn, now).await?,
        forget_proofs(conn, now).await?,
    ];
    Ok(most.into_iter().max().unwrap_or(0))
}

async fn forget_counts(conn: &mut PgConnection, now: OffsetDateTime) -> Result<u64, Error> {
    let attempts = sqlx::query!(
        "DELETE FROM failed_logins WHERE subject IN (
             SELECT subject FROM failed_logins WHERE last_at < $1
             LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - FORGOTTEN_AFTER,
        BATCH_ROWS,
    );
    let attempts = attempts.execute(&mut *conn).await?.rows_affected();
    let limits = sqlx::query!(
        "DELETE FROM account_limits WHERE (bucket, subject) IN (
             SELECT bucket, subject FROM account_limits WHERE window_start < $1
             LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - LIMITS_KEPT,
        BATCH_ROWS,
    );
    let limits = limits.execute(&mut *conn).await?.rows_affected();
    let networks = sqlx::query!(
        "DELETE FROM known_networks WHERE (user_id, network) IN (
             SELECT user_id, network FROM known_networks WHERE seen_at < $1
             LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - NETWORK_KNOWN_FOR,
        BATCH_ROWS,
    );
    let networks = networks.execute(conn).await?.rows_affected();
    Ok(attempts.max(limits).max(networks))
}

async fn forget_sessions(conn: &mut PgConnection, now: OffsetDateTime) -> Result<u64, Error> {
    let tokens = sqlx::query!(
        "DELETE FROM refresh_tokens WHERE token_hash IN (
             SELECT t.token_hash FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
             WHERE s.expires_at < $1 LIMIT $2 FOR UPDATE OF t SKIP LOCKED)",
        now - TOKENS_KEPT,
        BATCH_ROWS,
    );
    let tokens = tokens.execute(&mut *conn).await?.rows_affected();
    // The last one of an account says when it was last seen.
    let sessions = sqlx::query!(
        "DELETE FROM sessions WHERE id IN (
             SELECT s.id FROM sessions s
             WHERE s.expires_at < $1
               AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.session_id = s.id)
               AND EXISTS (SELECT FROM sessions n WHERE n.user_id = s.user_id
                             AND (n.last_used_at, n.id) > (s.last_used_at, s.id))
             LIMIT $2 FOR UPDATE OF s SKIP LOCKED)",
        now - SESSIONS_KEPT,
        BATCH_ROWS,
    );
    let sessions = sessions.execute(conn).await?.rows_affected();
    Ok(tokens.max(sessions))
}

/// Invitations, wishes for one, and links to choose a password.
async fn forget_ways_in(conn: &mut PgConnection, now: OffsetDateTime) -> Result<u64, Error> {
    let invitations = sqlx::query!(
        "DELETE FROM invitations WHERE id IN (
             SELECT id FROM invitations WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - INVITATIONS_KEPT,
        BATCH_ROWS,
    );
    let invitations = invitations.execute(&mut *conn).await?.rows_affected();
    let requests = sqlx::query!(
        "DELETE FROM account_requests WHERE id IN (
             SELECT id FROM account_requests
             WHERE decided_at < $1 OR (decided_at IS NULL AND created_at < $2)
             LIMIT $3 FOR UPDATE SKIP LOCKED)",
        now - REQUESTS_KEPT,
        now - UNDECIDED_KEPT,
        BATCH_ROWS,
    );
    let requests = requests.execute(&mut *conn).await?.rows_affected();
    let resets = sqlx::query!(
        "DELETE FROM password_resets WHERE id IN (
             SELECT id FROM password_resets WHERE expires_at < $1
             LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - RESETS_KEPT,
        BATCH_ROWS,
    );
    let resets = resets.execute(conn).await?.rows_affected();
    Ok(invitations.max(requests).max(resets))
}

async fn forget_proofs(conn: &mut PgConnection, now: OffsetDateTime) -> Result<u64, Error> {
    let keys = sqlx::query!(
        "DELETE FROM api_keys WHERE id IN (
             SELECT id FROM api_keys WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - KEYS_KEPT,
        BATCH_ROWS,
    );
    let keys = keys.execute(&mut *conn).await?.rows_affected();
    let begun = sqlx::query!(
        "DELETE FROM second_factors WHERE user_id IN (
             SELECT user_id FROM second_factors WHERE confirmed_at IS NULL AND created_at < $1
             LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now - BEGUN_FOR,
        BATCH_ROWS,
    );
    let begun = begun.execute(conn).await?.rows_affected();
    Ok(keys.max(begun))
}
