use proto::user::{ListKeysResponse, VerificationKey};

use crate::{app::App, error::Error};

/// Every key that verifies access tokens, the current one first.
pub(crate) async fn list_keys(app: &App) -> Result<ListKeysResponse, Error> {
    let keys = app.keys.list().await?;
    let to_wire = |key: auth::VerificationKey| VerificationKey {
        key_id: key.key_id,
        public_key: key.public_key.to_vec(),
    };
    Ok(ListKeysResponse {
        keys: keys.into_iter().map(to_wire).collect(),
    })
}
