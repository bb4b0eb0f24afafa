use std::error::Error;

use futures::future::BoxFuture;
use kit::{MeshIdentity, client::MeshChannel};
use proto::user::{ListKeysRequest, key_service_client::KeyServiceClient};

/// An Ed25519 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationKey {
    /// `kid` in the header of the tokens it verifies.
    pub key_id: String,
    /// The raw key of RFC 8032.
    pub public_key: [u8; 32],
}

/// The key set could not be had. Says nothing about any token.
#[derive(Debug, thiserror::Error)]
#[error("the token keys could not be read")]
pub struct KeysUnavailable(#[source] pub Box<dyn Error + Send + Sync>);

/// Where the key set comes from.
pub trait KeySource: Send + Sync {
    /// Every key that a valid token may be signed with.
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<VerificationKey>, KeysUnavailable>>;
}

/// The key set of user-svc, by gRPC.
#[derive(Clone, Debug)]
pub struct RemoteKeys {
    client: KeyServiceClient<MeshChannel>,
}

impl RemoteKeys {
    /// `user_svc_url` such as `http://127.0.0.1:50051`; connected on first use.
    pub fn new(
        user_svc_url: &str,
        identity: MeshIdentity,
    ) -> Result<Self, tonic::transport::Error> {
        let channel = kit::client::channel(user_svc_url, identity)?;
        Ok(Self {
            client: KeyServiceClient::new(channel),
        })
    }
}

impl KeySource for RemoteKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<VerificationKey>, KeysUnavailable>> {
        let mut client = self.client.clone();
        Box::pin(async move {
            let answer = client.list_keys(ListKeysRequest {}).await;
            let answer = answer
                .map_err(|status| KeysUnavailable(Box::new(status)))?
                .into_inner();
            Ok(answer.keys.into_iter().filter_map(from_wire).collect())
        })
    }
}

/// A key of another size is of an algorithm this version does not know; its tokens fail as unknown.
fn from_wire(key: proto::user::VerificationKey) -> Option<VerificationKey> {
    let public_key = key.public_key.try_into().ok()?;
    Some(VerificationKey {
        key_id: key.key_id,
        public_key,
    })
}
