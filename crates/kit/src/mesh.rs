//! How members of the mesh know each other: a key made at installation, from which each member has
//! its own credential. A credential proves one name only.

use std::{fmt, str::FromStr};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use proto::Peer;

pub(crate) const PEER_HEADER: &str = "x-boxoffice-peer";
pub(crate) const CREDENTIAL_HEADER: &str = "x-boxoffice-credential";
const KEY_MIN_BYTES: usize = 32;

/// The installation's key. Whoever has it can speak for every member.
#[derive(Clone)]
pub struct MeshKey(hmac::Key);

impl fmt::Debug for MeshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeshKey(***)")
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be at least {KEY_MIN_BYTES} random bytes as base64url without padding")]
pub struct MeshKeyError;

impl FromStr for MeshKey {
    type Err = MeshKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim())
            .map_err(|_| MeshKeyError)?;
        if bytes.len() < KEY_MIN_BYTES {
            return Err(MeshKeyError);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

impl MeshKey {
    /// What this member presents.
    pub fn identity(&self, peer: Peer) -> MeshIdentity {
        let tag = hmac::sign(&self.0, peer.name().as_bytes());
        MeshIdentity {
            peer,
            credential: URL_SAFE_NO_PAD.encode(tag),
        }
    }

    /// Who is calling; none if the credential is absent or does not prove the name.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Option<Peer> {
        let peer = Peer::from_name(headers.get(PEER_HEADER)?.to_str().ok()?)?;
        let credential = URL_SAFE_NO_PAD
            .decode(headers.get(CREDENTIAL_HEADER)?)
            .ok()?;
        hmac::verify(&self.0, peer.name().as_bytes(), &credential).ok()?;
        Some(peer)
    }
}

/// The name and the credential of one member.
#[derive(Clone)]
pub struct MeshIdentity {
    pub peer: Peer,
    credential: String,
}

impl MeshIdentity {
    /// The credential as it is sent. Secret.
    pub fn credential(&self) -> &str {
        &self.credential
    }
}

impl fmt::Debug for MeshIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeshIdentity({}, ***)", self.peer.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(peer: &str, credential: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(PEER_HEADER, peer.parse().unwrap());
        headers.insert(CREDENTIAL_HEADER, credential.parse().unwrap());
        headers
    }

    #[test]
    fn a_credential_proves_its_own_name_only() {
        let key: MeshKey = URL_SAFE_NO_PAD.encode([7; 32]).parse().unwrap();
        let other: MeshKey = URL_SAFE_NO_PAD.encode([8; 32]).parse().unwrap();
        let gateway = key.identity(Peer::Gateway);
        assert_eq!(
            key.caller(&headers("gateway", gateway.credential())),
            Some(Peer::Gateway)
        );
        assert_eq!(
            key.caller(&headers("payment-svc", gateway.credential())),
            None
        );
        assert_eq!(
            other.caller(&headers("gateway", gateway.credential())),
            None
        );
        assert_eq!(key.caller(&HeaderMap::new()), None);
        assert!(!format!("{gateway:?}").contains(gateway.credential()));
    }
}
