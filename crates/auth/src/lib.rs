//! What an access token says, and the one place that decides whether to believe it.

mod claims;
mod key_cache;
mod keys;
mod verifier;

pub use claims::{AUDIENCE, Claims, ISSUER, KEY_AUDIENCE, Role};
pub use keys::{KeySource, KeysUnavailable, RemoteKeys, RulesStream, TokenRules, VerificationKey};
pub use verifier::{MAX_TOKEN_BYTES, Verifier};
