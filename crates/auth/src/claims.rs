use base::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `iss` of every access token.
pub const ISSUER: &str = "boxoffice";
/// `aud` of every access token.
pub const AUDIENCE: &str = "boxoffice-admin";

/// `aud` of an access token that an API key was exchanged for. It has a `scope`; a version that knows
/// nothing of scopes refuses it.
pub const KEY_AUDIENCE: &str = "boxoffice-key";

/// The payload of an access token. Every claim but `gen` and `scope` is required.
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
    /// [`AUDIENCE`], or [`KEY_AUDIENCE`] with a `scope`; as a text and not as a list.
    pub aud: String,
    /// The session, or the API key, that the token was issued for.
    pub sid: Uuid,
    /// The generation of the account's tokens: it counts up when its rights change.
    // The version before issued none, and its tokens are of the first.
    #[serde(default)]
    pub r#gen: u32,
    /// What an API key is good for, separated by spaces (RFC 8693 §4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Admin,
    Superadmin,
}

impl Role {
    /// As tokens, tables and REST have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Superadmin => "superadmin",
        }
    }
}
