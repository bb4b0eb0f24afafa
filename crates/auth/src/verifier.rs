use std::{fmt, sync::Arc, time::Duration};

use base::Sources;
use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use kit::{Admin, Code, ErrorReason, Failure, Tasks, VerifyToken};
use proto::Scopes;
use serde::Deserialize;

use crate::{
    AUDIENCE, Claims, ISSUER, KEY_AUDIENCE, KeySource, Role,
    key_cache::{KeyCache, Lookup},
};

/// A longer token is refused unread.
pub const MAX_TOKEN_BYTES: usize = 4 * 1024;
const MAX_KEY_ID_BYTES: usize = 64;
/// Clocks of two machines may differ by this much.
const LEEWAY_SECS: i64 = 5;
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Before user-svc is listened to again.
const LISTEN_PAUSE: Duration = Duration::from_millis(500);

/// Decides whether to believe an access token.
pub struct Verifier {
    keys: KeyCache,
    sources: Sources,
    validation: Validation,
}

/// `nbf` is not ours, and a token that carries it means it.
#[derive(Deserialize)]
struct Presented {
    #[serde(flatten)]
    claims: Claims,
    nbf: Option<i64>,
}

impl Verifier {
    pub fn new(source: Arc<dyn KeySource>, sources: Sources) -> Self {
        Self {
            keys: KeyCache::new(source, sources.clone()),
            sources,
            validation: validation(),
        }
    }

    /// The claims of a token that is genuine, for us, valid now, and was not taken back.
    ///
    /// `UNAUTHENTICATED` for any other token, with one answer for every cause; `UNAVAILABLE` while
    /// the key set cannot be had.
    pub async fn claims(&self, token: &str) -> Result<Claims, Failure> {
        let key_id = key_id(token).ok_or_else(not_accepted)?;
        let (key, rules) = match self.keys.find(&key_id).await {
            Lookup::Found(key, rules) => (key, rules),
            Lookup::Unknown => return Err(not_accepted()),
            Lookup::Unavailable => {
                let detail = "Access tokens cannot be checked at the moment.";
                return Err(Failure::unavailable(detail, RETRY_AFTER));
            }
        };
        self.check(token, &key)
            .filter(|claims| !rules.revokes(claims))
            .ok_or_else(not_accepted)
    }

    fn check(&self, token: &str, key: &DecodingKey) -> Option<Claims> {
        let presented = decode::<Presented>(token, key, &self.validation)
            .ok()?
            .claims;
        let Presented { claims, nbf } = presented;
        let now = self.sources.now().unix_timestamp();
        let begun = now.saturating_add(LEEWAY_SECS);
        let valid = now.saturating_sub(LEEWAY_SECS) < claims.exp
            && claims.iat < claims.exp
            && claims.iat <= begun
            && nbf.is_none_or(|nbf| nbf <= begun)
            && claims.iss == ISSUER
            && is_for_us(&claims);
        valid.then_some(claims)
    }
}

impl VerifyToken for Verifier {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admin, Failure>> {
        Box::pin(async move {
            let claims = self.claims(token).await?;
            let admin = Admin::new(claims.sub, claims.role == Role::Superadmin);
            let scopes = claims.scope.as_deref();
            let scopes = scopes.map_or(Scopes::ALL, Scopes::of_words);
            Ok(admin.in_session(claims.sid).within(scopes))
        })
    }

    /// Listens to what is revoked, so that a call need not ask.
    fn follow(self: Arc<Self>, tasks: &Tasks) {
        let shutdown = tasks.shutdown().clone();
        tasks.spawn(async move {
            let listening = async {
                loop {
                    self.keys.listen().await;
                    tokio::time::sleep(LISTEN_PAUSE).await;
                }
            };
            tokio::select! {
                () = shutdown.begun() => {}
                () = listening => {}
            }
        });
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// A scope without its audience, and an audience without its scope, are nothing we issue.
fn is_for_us(claims: &Claims) -> bool {
    let audience = match claims.scope {
        None => AUDIENCE,
        Some(_) => KEY_AUDIENCE,
    };
    claims.aud == audience
}

/// The library looks at `iss` and `aud` only where they are present unless they are required. It
/// reads the machine's clock, so the times are checked here and not there.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE, KEY_AUDIENCE]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

/// The key that the token names; none if it is no token of ours whatever its signature.
fn key_id(token: &str) -> Option<String> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let header = decode_header(token).ok()?;
    // `crit` lists extensions that must be understood (RFC 7515 §4.1.11); none is.
    if header.alg != Algorithm::EdDSA || header.crit.is_some() {
        return None;
    }
    header
        .kid
        .filter(|key_id| (1..=MAX_KEY_ID_BYTES).contains(&key_id.len()))
}

/// One answer for every cause: which check failed is of use to a forger only.
fn not_accepted() -> Failure {
    Failure::refused(
        Code::Unauthenticated,
        ErrorReason::Unauthenticated,
        "The access token is not valid or has expired. Sign in again.",
    )
}
