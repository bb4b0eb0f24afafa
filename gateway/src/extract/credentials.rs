//! Proofs and keys that come in headers and cookies.

use std::{fmt::Display, str::FromStr};

use axum::extract::FromRequestParts;
use base::{HoldId, IdempotencyKey, OrderId, TransferId};
use http::{HeaderMap, header, request::Parts};
use kit::{ErrorReason, Failure};
use tonic::metadata::{Ascii, MetadataValue};

use super::{Id, Path};
use crate::{
    app::{App, Shared},
    cookies::{self, Kind},
    problem::Problem,
    session,
};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const TOKEN_MAX_BYTES: usize = 4096;

/// The header `Idempotency-Key`.
pub struct Key(pub IdempotencyKey);

impl FromRequestParts<Shared> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let missing = || key_refused("The header Idempotency-Key is missing.");
        idempotency_key(&parts.headers)?
            .map(Self)
            .ok_or_else(missing)
    }
}

/// The header `Idempotency-Key` where it may be left out.
pub struct OptionalKey(Option<IdempotencyKey>);

impl OptionalKey {
    /// Empty where it was left out.
    pub fn text(&self) -> String {
        self.0
            .as_ref()
            .map_or_else(String::new, |key| key.as_str().to_owned())
    }
}

impl FromRequestParts<Shared> for OptionalKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        idempotency_key(&parts.headers).map(Self)
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    // A byte outside ASCII becomes a character that the key's own rule refuses.
    let text = String::from_utf8_lossy(value.as_bytes());
    text.parse()
        .map(Some)
        .map_err(|error: base::IdempotencyKeyError| key_refused(&format!("{error}.")))
}

fn key_refused(detail: &str) -> Problem {
    Problem::refused(ErrorReason::IdempotencyKeyInvalid, detail)
}

/// An admin's access token. It is only passed on: the services verify it.
#[derive(Clone)]
pub struct AdminToken(MetadataValue<Ascii>);

impl AdminToken {
    /// The call with the token as `authorization` metadata.
    pub fn request<M>(self, message: M) -> tonic::Request<M> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", self.0);
        request
    }
}

impl AdminToken {
    fn new(token: &str) -> Option<Self> {
        let value = format!("Bearer {token}");
        (token.len() <= TOKEN_MAX_BYTES).then(|| value.parse().ok().map(Self))?
    }
}

/// `Authorization: Bearer`, or the cookie of the dashboard's session where there is no such header.
impl FromRequestParts<Shared> for AdminToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let headers = &parts.headers;
        let token = if headers.contains_key(header::AUTHORIZATION) {
            bearer(headers).map(str::to_owned)
        } else {
            session::access_token(app, &parts.method, headers)?
        };
        token.and_then(|token| Self::new(&token)).ok_or_else(|| {
            Problem::refused(ErrorReason::Unauthenticated, "This needs an access token.")
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The id of a hold or order in the path, with the secret that came along: `Authorization: Bearer`,
/// or the cookie of exactly this id. Whether they belong together, the owning service says.
pub struct Access<T> {
    pub id: T,
    pub secret: String,
}

/// Ids that have a secret.
pub trait Guarded: FromStr + Display {
    const KIND: Kind;
}

impl Guarded for HoldId {
    const KIND: Kind = Kind::Hold;
}

impl Guarded for OrderId {
    const KIND: Kind = Kind::Order;
}

impl Guarded for TransferId {
    const KIND: Kind = Kind::Ticket;
}

/// A part of what a secret opens: the second id of the path.
pub struct AccessTo<T, P> {
    pub access: Access<T>,
    pub part: P,
}

impl<T, P> FromRequestParts<Shared> for AccessTo<T, P>
where
    T: Guarded + Send,
    P: FromStr + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let absent = || Problem::from(Failure::not_found("resource"));
        let path = Path::<(String, String)>::from_request_parts(parts, app);
        let Path((id, part)) = path.await?;
        let id: T = id.parse().map_err(|_| absent())?;
        let part = part.parse().map_err(|_| absent())?;
        let access = access(parts, app, id)?;
        Ok(Self { access, part })
    }
}

fn access<T: Guarded>(parts: &Parts, app: &App, id: T) -> Result<Access<T>, Problem> {
    let secret = secret_of(app, &parts.headers, T::KIND, &id.to_string());
    let unauthenticated = || {
        Problem::refused(
            ErrorReason::Unauthenticated,
            "This needs the secret that came with the hold or the order.",
        )
    };
    secret
        .map(|secret| Access { id, secret })
        .ok_or_else(unauthenticated)
}

/// The secret that came along for an id.
pub fn secret_of(app: &App, headers: &HeaderMap, kind: Kind, id: &str) -> Option<String> {
    match bearer(headers) {
        Some(secret) => Some(secret.to_owned()),
        None => cookies::read(headers, &app.public_url, kind, id),
    }
}

impl<T: Guarded + Send> FromRequestParts<Shared> for Access<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let Id(id) = Id::<T>::from_request_parts(parts, app).await?;
        access(parts, app, id)
    }
}
