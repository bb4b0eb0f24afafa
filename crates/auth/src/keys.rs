use std::{
    collections::{HashMap, HashSet},
    error::Error,
};

use base::UserId;
use futures::{
    StreamExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use kit::client::MeshChannel;
use proto::user::{
    ListKeysRequest, Revocations, WatchKeysRequest, key_service_client::KeyServiceClient,
};
use uuid::Uuid;

/// An Ed25519 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationKey {
    /// `kid` in the header of the tokens it verifies.
    pub key_id: String,
    /// The raw key of RFC 8032.
    pub public_key: [u8; 32],
}

/// What decides about tokens, as user-svc knows it at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    /// Every key that a valid token may be signed with.
    pub keys: Vec<VerificationKey>,
    /// Sessions that ended while tokens of them may still be about.
    pub revoked_sessions: HashSet<Uuid>,
    /// Tokens of these accounts are good from this generation on.
    pub generations: HashMap<UserId, u32>,
}

/// The rules could not be had. Says nothing about any token.
#[derive(Debug, thiserror::Error)]
#[error("the token keys could not be read")]
pub struct KeysUnavailable(#[source] pub Box<dyn Error + Send + Sync>);

/// The rules as they change.
pub type RulesStream = BoxStream<'static, Result<TokenRules, KeysUnavailable>>;

/// Where the rules come from.
pub trait KeySource: Send + Sync {
    /// As they are now.
    fn fetch(&self) -> BoxFuture<'_, Result<TokenRules, KeysUnavailable>>;

    /// Whole at every change, and every second or so where nothing changes. It may end at any time.
    fn watch(&self) -> RulesStream;
}

/// The rules of user-svc, by gRPC.
#[derive(Clone, Debug)]
pub struct RemoteKeys {
    client: KeyServiceClient<MeshChannel>,
}

impl RemoteKeys {
    /// Over connections to user-svc.
    pub fn new(user_svc: MeshChannel) -> Self {
        Self {
            client: KeyServiceClient::new(user_svc),
        }
    }
}

impl KeySource for RemoteKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<TokenRules, KeysUnavailable>> {
        let mut client = self.client.clone();
        Box::pin(async move {
            let answer = client.list_keys(ListKeysRequest {}).await;
            let answer = answer.map_err(unavailable)?.into_inner();
            Ok(from_wire(answer.keys, answer.revocations))
        })
    }

    fn watch(&self) -> RulesStream {
        let mut client = self.client.clone();
        let begin = async move {
            let answer = client.watch_keys(WatchKeysRequest {}).await;
            let told = answer.map_err(unavailable)?.into_inner();
            Ok(told
                .map_err(unavailable)
                .map_ok(|told| from_wire(told.keys, told.revocations)))
        };
        stream::once(begin).try_flatten().boxed()
    }
}

fn unavailable(status: tonic::Status) -> KeysUnavailable {
    KeysUnavailable(Box::new(status))
}

fn from_wire(
    keys: Vec<proto::user::VerificationKey>,
    revocations: Option<Revocations>,
) -> TokenRules {
    let revocations = revocations.unwrap_or_default();
    let sessions = revocations.session_ids.into_iter();
    let accounts = revocations.accounts.into_iter();
    TokenRules {
        keys: keys.into_iter().filter_map(key_from_wire).collect(),
        revoked_sessions: sessions.filter_map(|id| id.parse().ok()).collect(),
        generations: accounts
            .filter_map(|account| Some((account.user_id.parse().ok()?, account.generation)))
            .collect(),
    }
}

/// A key of another size is of an algorithm this version does not know; its tokens fail as unknown.
fn key_from_wire(key: proto::user::VerificationKey) -> Option<VerificationKey> {
    let public_key = key.public_key.try_into().ok()?;
    Some(VerificationKey {
        key_id: key.key_id,
        public_key,
    })
}
