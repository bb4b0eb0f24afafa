use base::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `iss` of every access token.
pub const ISSUER: &str = "boxoffice";
/// `aud` of every access token.
pub const AUDIENCE: &str = "boxoffice-admin";

/// The payload of an access token. Every claim is required.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The account.
    pub sub: UserId,
    pub role: Role,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// From when on it is worthless, in seconds since 1970.
    pub exp: i64,
    /// Always [`ISSUER`].
    pub iss: String,
    /// Always [`AUDIENCE`], as a text and not as a list.
    pub aud: String,
    /// The session that the token was issued in.
    pub sid: Uuid,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Admin,
    Superadmin,
}
