//! What somebody is given who has signed in.

use auth::{AUDIENCE, Claims, ISSUER, KEY_AUDIENCE};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::{Account, session::ACCESS_TOKEN_TTL},
    error::Error,
};

/// An account in one of its sessions, as the database has it.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    /// Of the account's tokens.
    pub(crate) generation: i32,
    pub(crate) session_id: Uuid,
    pub(crate) session_expires_at: OffsetDateTime,
}

/// A signed token, and the seconds that it lives. It does not outlive its session, or its key.
pub(crate) fn access_token(
    app: &App,
    signed_in: &SignedIn,
    now: OffsetDateTime,
) -> Result<(String, u32), Error> {
    token(app, signed_in, (None, now))
}

/// The same for an API key, which is good for these scopes only.
pub(crate) fn key_token(
    app: &App,
    key: &SignedIn,
    (scope, now): (String, OffsetDateTime),
) -> Result<(String, u32), Error> {
    token(app, key, (Some(scope), now))
}

fn token(
    app: &App,
    signed_in: &SignedIn,
    (scope, now): (Option<String>, OffsetDateTime),
) -> Result<(String, u32), Error> {
    let expires_at = (now + ACCESS_TOKEN_TTL).min(signed_in.session_expires_at);
    let (issued, expires) = (now.unix_timestamp(), expires_at.unix_timestamp());
    let audience = match scope {
        None => AUDIENCE,
        Some(_) => KEY_AUDIENCE,
    };
    let claims = Claims {
        sub: signed_in.account.id,
        role: signed_in.account.role,
        iat: issued,
        exp: expires,
        iss: ISSUER.to_owned(),
        aud: audience.to_owned(),
        sid: signed_in.session_id,
        r#gen: signed_in.generation.unsigned_abs(),
        scope,
    };
    let signed = app.signer.sign(&claims);
    let token = signed.map_err(|error| Error::Internal(error.into()))?;
    Ok((token, u32::try_from(expires - issued).unwrap_or(0)))
}
