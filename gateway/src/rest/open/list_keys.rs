use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue, header};
use proto::user::ListKeysRequest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::Shared, problem::Problem, rest::problems::Faults};

const CACHING: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// The public keys that access tokens are signed with (RFC 7517, RFC 8037).
#[derive(Serialize, ToSchema)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PublicKey)]
pub struct Key {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    /// The public key, base64url.
    x: String,
    kid: String,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
}

/// The keys that verify access tokens, the current one first.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "open",
    responses((status = 200, body = KeySet), Faults))]
pub async fn list_keys(
    State(app): State<Shared>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<KeySet>), Problem> {
    let found = app
        .upstreams
        .keys()
        .list_keys(ListKeysRequest {})
        .await?
        .into_inner();
    let keys = found.keys.into_iter().map(|key| Key {
        kty: "OKP",
        crv: "Ed25519",
        x: URL_SAFE_NO_PAD.encode(key.public_key),
        kid: key.key_id,
        usage: "sig",
        alg: "EdDSA",
    });
    Ok((
        [(header::CACHE_CONTROL, CACHING)],
        Json(KeySet {
            keys: keys.collect(),
        }),
    ))
}
