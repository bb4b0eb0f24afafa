use base::UserId;
use proto::user::{ExchangeApiKeyRequest, ExchangeApiKeyResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    app::App,
    domain::{Account, session::shown_network},
    error::Error,
    store::role_from_word,
    tokens::{self, SignedIn},
};

/// An access token for a key that is good. Every other one gets one answer. A secret has 256 random bits, so
/// tries need no delay here; the edge counts them.
pub(crate) async fn exchange_api_key(
    app: &App,
    request: ExchangeApiKeyRequest,
) -> Result<ExchangeApiKeyResponse, Error> {
    let now = app.sources.now();
    let use_of = Use {
        hash: base::digest(request.secret.as_bytes()),
        network: shown_network(&request.network),
        now,
    };
    let (key, scopes) = app
        .db
        .run(use_of, |conn, use_of| Box::pin(find_used(conn, use_of)))
        .await?
        .ok_or(Error::InvalidKey)?;
    let scope = scopes.join(" ");
    let (access_token, expires_in) = tokens::key_token(app, &key, (scope.clone(), now))?;
    Ok(ExchangeApiKeyResponse {
        access_token,
        expires_in,
        scope,
    })
}

struct Use {
    hash: [u8; 32],
    network: Option<String>,
    now: OffsetDateTime,
}

/// A key is a session of its own: whoever revokes it revokes its tokens.
async fn find_used(
    conn: &mut PgConnection,
    use_of: &Use,
) -> Result<Option<(SignedIn, Vec<String>)>, Error> {
    let row = sqlx::query!(
        "UPDATE api_keys k SET last_used_at = $2, last_network = $3
         FROM users u
         WHERE k.secret_hash = $1 AND u.id = k.user_id AND u.status = 'active'
           AND k.revoked_at IS NULL AND k.expires_at > $2
         RETURNING k.id, k.scopes, k.expires_at, u.id AS user_id, u.email, u.role,
                   u.token_generation",
        &use_of.hash[..],
        use_of.now,
        use_of.network,
    );
    let row = row.fetch_optional(conn).await?;
    Ok(row.map(|row| {
        let key = SignedIn {
            account: Account {
                id: UserId::from(row.user_id),
                email: row.email,
                role: role_from_word(&row.role),
            },
            generation: row.token_generation,
            session_id: row.id,
            session_expires_at: row.expires_at,
        };
        (key, row.scopes)
    }))
}
