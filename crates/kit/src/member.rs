//! Who we are in the mesh, and how we know who calls: by certificates, or on one machine by a key.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use http::{Extensions, Uri, request::Parts};
use proto::Peer;
use rustls::{ServerConfig, pki_types::CertificateDer};
use tls::Certificates;

use crate::{
    MeshKey,
    client::{self, MeshChannel},
};

/// By what the members of an installation know each other.
#[derive(clap::Args, Clone, Debug)]
pub struct MeshSettings {
    /// The installation's key, by which services on one machine know each other: 32 random bytes or more as base64url
    /// without padding.
    // base64url may begin with a dash.
    #[arg(
        id = "mesh_key",
        long = "mesh-key",
        env = "MESH_KEY",
        hide_env_values = true,
        allow_hyphen_values = true,
        required_unless_present = "mesh_certs_dir"
    )]
    pub key: Option<MeshKey>,

    /// A folder with the certificate of this service (`tls.crt`, `tls.key`) and of the authority that signs all of them
    /// (`ca.crt`). With it services know each other by certificates, and the key is not used.
    #[arg(id = "mesh_certs_dir", long = "mesh-certs-dir", env = "MESH_CERTS_DIR")]
    pub certs_dir: Option<PathBuf>,
}

impl MeshSettings {
    /// What this member needs to serve and to call.
    ///
    /// # Errors
    /// If the certificates cannot be used, or are another member's.
    pub fn open(&self, peer: Peer) -> anyhow::Result<Member> {
        let trust = match (&self.certs_dir, &self.key) {
            (Some(folder), _) => {
                let certificates = Certificates::open(folder, &certified_name(peer));
                let certificates =
                    certificates.with_context(|| format!("MESH_CERTS_DIR {}", folder.display()))?;
                Trust::Certificates(certificates)
            }
            (None, Some(key)) => Trust::Key(Box::new(key.clone())),
            (None, None) => anyhow::bail!("neither MESH_CERTS_DIR nor MESH_KEY is set"),
        };
        Ok(Member { peer, trust })
    }
}

/// A member of the mesh, as it proves itself.
#[derive(Clone, Debug)]
pub struct Member {
    peer: Peer,
    trust: Trust,
}

impl Member {
    /// Connections to the member `callee` at `urls`, made on first use, so that members start in any order. Several
    /// addresses have commas between them; a name stands for every address it has. Calls go to all in turn.
    ///
    /// # Errors
    /// If an address is none, or not one over which the two could know each other.
    pub fn channel(&self, urls: &str, callee: Peer) -> anyhow::Result<MeshChannel> {
        for url in urls.split(',').map(str::trim) {
            self.check(url)?;
        }
        match &self.trust {
            Trust::Key(key) => client::channel(urls, key.identity(self.peer)),
            Trust::Certificates(certificates) => {
                let connector = tls::Connector::new(certificates.clone(), &certified_name(callee))?;
                client::certified_channel(urls, connector)
            }
        }
    }

    fn check(&self, url: &str) -> anyhow::Result<()> {
        let uri: Uri = url.parse()?;
        let scheme = uri.scheme_str();
        match &self.trust {
            Trust::Key(_) => {
                let here = uri.host().is_some_and(is_this_machine);
                ensure!(
                    scheme == Some("http") && here,
                    "{url} is not http:// on this machine; to other machines it takes certificates (MESH_CERTS_DIR)"
                );
            }
            Trust::Certificates(_) => ensure!(
                scheme == Some("https"),
                "{url} must be https://, because there are certificates (MESH_CERTS_DIR)"
            ),
        }
        Ok(())
    }
}

/// By what a server knows who calls.
#[derive(Clone, Debug)]
pub enum Trust {
    /// By a credential that is made from the key, and that travels with every call.
    Key(Box<MeshKey>),
    /// By the certificate of the connection. Nothing that is in a call counts.
    Certificates(Certificates),
}

impl Trust {
    pub(crate) fn caller(&self, call: &Parts) -> Option<Peer> {
        match self {
            Self::Key(key) => key.caller(&call.headers),
            Self::Certificates(_) => call.extensions.get().map(|Certified(peer)| *peer),
        }
    }

    /// What a listener needs to know its peers.
    pub(crate) fn tls(&self) -> Option<Arc<dyn listen::Tls>> {
        match self {
            Self::Key(_) => None,
            Self::Certificates(certificates) => Some(Arc::new(Gate(certificates.clone()))),
        }
    }
}

impl From<Member> for Trust {
    fn from(member: Member) -> Self {
        member.trust
    }
}

impl From<MeshKey> for Trust {
    fn from(key: MeshKey) -> Self {
        Self::Key(Box::new(key))
    }
}

/// At the other end of the connection is this member: its certificate says so.
#[derive(Clone, Copy)]
struct Certified(Peer);

struct Gate(Certificates);

impl listen::Tls for Gate {
    fn config(&self) -> Arc<ServerConfig> {
        self.0.server()
    }

    fn admit(&self, certificate: &CertificateDer<'_>) -> Option<Extensions> {
        let mut known = Extensions::new();
        known.insert(Certified(named(certificate)?));
        Some(known)
    }
}

/// The one member that the certificate names. One that fits several, as a wildcard does, names none.
fn named(certificate: &CertificateDer<'_>) -> Option<Peer> {
    let mut named = Peer::ALL
        .into_iter()
        .filter(|peer| tls::is_named(certificate, &certified_name(*peer)));
    named.next().filter(|_| named.next().is_none())
}

/// The DNS name in a member's certificate. It need not resolve: it says who, not where.
pub fn certified_name(peer: Peer) -> String {
    format!("{}.boxoffice.internal", peer.name())
}

/// Whether what is sent to the host stays on this machine.
pub fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    loopback || host.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_loopback() {
        for here in ["127.0.0.1", "127.8.8.8", "[::1]", "localhost", "LOCALHOST"] {
            assert!(is_this_machine(here), "{here}");
        }
        for elsewhere in [
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "ticket-svc",
            "localhost.example",
            "",
        ] {
            assert!(!is_this_machine(elsewhere), "{elsewhere}");
        }
    }
}
