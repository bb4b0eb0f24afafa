use auth::TokenRules;
use proto::user::{AccountGeneration, ListKeysResponse, Revocations, VerificationKey};

use crate::{app::App, error::Error};

/// Every key that verifies access tokens, the current one first, and what was revoked lately. Anybody's request for
/// `/.well-known/jwks.json` ends here, so a storm of them must not become one at the database.
pub(crate) async fn list_keys(app: &App) -> Result<ListKeysResponse, Error> {
    let rules = app.board.look_together().await?;
    Ok(ListKeysResponse {
        keys: keys(&rules),
        revocations: Some(revocations(&rules)),
    })
}

pub(super) fn keys(rules: &TokenRules) -> Vec<VerificationKey> {
    let to_wire = |key: &auth::VerificationKey| VerificationKey {
        key_id: key.key_id.clone(),
        public_key: key.public_key.to_vec(),
    };
    rules.keys.iter().map(to_wire).collect()
}

pub(super) fn revocations(rules: &TokenRules) -> Revocations {
    let accounts = rules.generations.iter();
    Revocations {
        session_ids: rules
            .revoked_sessions
            .iter()
            .map(ToString::to_string)
            .collect(),
        accounts: accounts
            .map(|(user_id, generation)| AccountGeneration {
                user_id: user_id.to_string(),
                generation: *generation,
            })
            .collect(),
    }
}
