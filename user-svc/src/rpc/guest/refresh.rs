use base::{Secret, UserId};
use proto::user::{RefreshRequest, RefreshResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        Account,
        session::{REFRESH_GRACE, session_end},
    },
    error::Error,
    sessions::{self, End, Ending},
    store::role_from_word,
    tokens::{self, SignedIn},
};

const SEAL_PURPOSE: &str = "refresh-token";

/// The next access token for the next refresh token. Each refresh token works once, and once more within
/// [`REFRESH_GRACE`] as long as its successor was not used: an answer that got lost locks nobody out. One that
/// comes later was copied, and who is the thief cannot be told: the session ends for both.
pub(crate) async fn refresh(app: &App, request: RefreshRequest) -> Result<RefreshResponse, Error> {
    let now = app.sources.now();
    let next = Secret::new(app.sources.token());
    let turn = Turn {
        hash: base::digest(request.refresh_token.as_bytes()),
        next_hash: base::digest(next.expose().as_bytes()),
        sealed_next: app
            .sealer
            .seal(&app.sources, SEAL_PURPOSE, next.expose().as_bytes()),
        now,
        reuse: End::new(&app.sources, Ending::Reuse),
    };
    let outcome = app
        .db
        .run(turn, |conn, turn| Box::pin(take_turn(conn, turn)))
        .await?;
    let (signed_in, refresh_token) = match outcome {
        Outcome::Turned(signed_in) => (signed_in, next.expose().to_owned()),
        Outcome::Again(signed_in, sealed) => (signed_in, opened(app, &sealed)?),
        Outcome::Over => return Err(Error::SessionOver),
        Outcome::Reused { session_id, owner } => {
            app.board.nudge();
            tracing::warn!(%session_id, %owner, "a refresh token came twice, its session is ended");
            return Err(Error::SessionOver);
        }
    };
    let (access_token, expires_in) = tokens::access_token(app, &signed_in, now)?;
    Ok(RefreshResponse {
        access_token,
        expires_in,
        refresh_token,
        user: Some(signed_in.account.to_wire()),
    })
}

struct Turn {
    hash: [u8; 32],
    next_hash: [u8; 32],
    sealed_next: Vec<u8>,
    now: OffsetDateTime,
    reuse: End,
}

enum Outcome {
    Turned(SignedIn),
    /// The token had its turn just now; its successor, sealed.
    Again(SignedIn, Vec<u8>),
    /// There is no such token, or its session has ended.
    Over,
    Reused {
        session_id: Uuid,
        owner: UserId,
    },
}

/// A token with its session and account, all locked: of two turns the second sees what the first did.
struct Found {
    signed_in: SignedIn,
    last_used_at: OffsetDateTime,
    is_open: bool,
    replaced_at: Option<OffsetDateTime>,
    sealed_successor: Option<Vec<u8>>,
}

async fn take_turn(conn: &mut PgConnection, turn: &Turn) -> Result<Outcome, Error> {
    let Some(found) = find(conn, &turn.hash).await? else {
        return Ok(Outcome::Over);
    };
    let end = session_end(found.last_used_at, found.signed_in.session_expires_at);
    if !found.is_open || turn.now >= end {
        return Ok(Outcome::Over);
    }
    match (found.replaced_at, found.sealed_successor) {
        (None, _) => {
            replace(conn, turn, found.signed_in.session_id).await?;
            Ok(Outcome::Turned(found.signed_in))
        }
        (Some(at), Some(sealed)) if turn.now - at < REFRESH_GRACE => {
            Ok(Outcome::Again(found.signed_in, sealed))
        }
        (Some(_), _) => {
            let (session_id, owner) = (found.signed_in.session_id, found.signed_in.account.id);
            sessions::end(conn, &turn.reuse, (session_id, owner), None).await?;
            Ok(Outcome::Reused { session_id, owner })
        }
    }
}

/// The account is locked before its session, as by everybody who ends sessions.
async fn find(conn: &mut PgConnection, hash: &[u8; 32]) -> Result<Option<Found>, Error> {
    let owner = sqlx::query_scalar!(
        "SELECT id FROM users
         WHERE id = (SELECT s.user_id FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
                     WHERE t.token_hash = $1)
         FOR SHARE",
        &hash[..],
    );
    if owner.fetch_optional(&mut *conn).await?.is_none() {
        return Ok(None);
    }
    sqlx::query!(
        "SELECT id FROM sessions
         WHERE id = (SELECT session_id FROM refresh_tokens WHERE token_hash = $1)
         FOR NO KEY UPDATE",
        &hash[..],
    )
    .fetch_optional(&mut *conn)
    .await?;
    let row = sqlx::query!(
        r#"SELECT t.session_id, t.replaced_at, t.sealed_successor, s.user_id, s.last_used_at,
                  s.expires_at, u.email, u.role, u.token_generation,
                  (s.revoked_at IS NULL AND u.status = 'active') AS "is_open!"
           FROM refresh_tokens t
           JOIN sessions s ON s.id = t.session_id
           JOIN users u ON u.id = s.user_id
           WHERE t.token_hash = $1
           FOR UPDATE OF t"#,
        &hash[..],
    );
    let row = row.fetch_optional(conn).await?;
    Ok(row.map(|row| Found {
        signed_in: SignedIn {
            account: Account {
                id: UserId::from(row.user_id),
                email: row.email,
                role: role_from_word(&row.role),
            },
            generation: row.token_generation,
            session_id: row.session_id,
            session_expires_at: row.expires_at,
        },
        last_used_at: row.last_used_at,
        is_open: row.is_open,
        replaced_at: row.replaced_at,
        sealed_successor: row.sealed_successor,
    }))
}

/// The token is used up. Its predecessor's grace ends: that this one came says that it arrived.
async fn replace(conn: &mut PgConnection, turn: &Turn, session_id: Uuid) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE refresh_tokens SET sealed_successor = NULL
         WHERE session_id = $1 AND sealed_successor IS NOT NULL",
        session_id,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE refresh_tokens SET replaced_at = $2, sealed_successor = $3
         WHERE token_hash = $1 AND replaced_at IS NULL",
        &turn.hash[..],
        turn.now,
        turn.sealed_next,
    )
    .execute(&mut *conn)
    .await?;
    sessions::insert_token(conn, (session_id, &turn.next_hash), turn.now).await?;
    sqlx::query!(
        "UPDATE sessions SET last_used_at = $2 WHERE id = $1",
        session_id,
        turn.now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn opened(app: &App, sealed: &[u8]) -> Result<String, Error> {
    let opened = app.sealer.open(SEAL_PURPOSE, sealed);
    opened
        .and_then(|token| String::from_utf8(token).ok())
        // The seal key was changed within the half minute.
        .ok_or(Error::SessionOver)
}
