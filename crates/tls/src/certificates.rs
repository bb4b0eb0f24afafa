use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::{Resumption, verify_server_name},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName,
        pem::{self, PemObject as _},
    },
    server::{
        NoServerSessionStorage, ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier,
    },
    version::TLS13,
};

/// Between two looks at the files; new connections in between use what was found last.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const AUTHORITY: &str = "ca.crt";
const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    #[error("{} cannot be read", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("{0} is not PEM, or does not hold what it should")]
    Pem(&'static str, #[source] pem::Error),
    #[error("{AUTHORITY} cannot be used")]
    Authority(#[from] VerifierBuilderError),
    #[error("{CHAIN} and {KEY} cannot be used together")]
    Pair(#[from] rustls::Error),
    #[error("{CHAIN} is not the certificate of {0}")]
    Name(String),
}

/// The certificate of one member, its key, and the authority by which it knows the others.
///
/// The files are looked at when a connection is made, every two seconds at most. So new certificates need no restart;
/// connections that are open keep what they began with.
#[derive(Clone)]
pub struct Certificates(Arc<Folder>);

struct Folder {
    path: PathBuf,
    /// What the certificate must be for.
    name: String,
    state: Mutex<State>,
}

struct State {
    looked_at: Instant,
    files: Files,
    configs: Configs,
}

#[derive(Clone)]
struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

#[derive(PartialEq, Eq)]
struct Files {
    authority: Vec<u8>,
    chain: Vec<u8>,
    key: Vec<u8>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.0.path.display())
    }
}

impl Certificates {
    /// `name` is the DNS name that the certificate must carry, now and whenever it changes.
    ///
    /// # Errors
    /// What is missing in the folder, or does not fit.
    pub fn open(folder: &Path, name: &str) -> Result<Self, CertificatesError> {
        let files = Files::read(folder)?;
        let configs = files.configs(name)?;
        let state = State {
            looked_at: Instant::now(),
            files,
            configs,
        };
        Ok(Self(Arc::new(Folder {
            path: folder.to_owned(),
            name: name.to_owned(),
            state: Mutex::new(state),
        })))
    }

    /// For the next connection that is accepted.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.current().server
    }

    /// For the next connection that is made.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.current().client
    }

    /// The files are three and small, and new connections rare: reading them here holds nobody up.
    fn current(&self) -> Configs {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked_at.elapsed() >= LOOK_EVERY {
            state.looked_at = Instant::now();
            self.look(&mut state);
        }
        state.configs.clone()
    }

    fn look(&self, state: &mut State) {
        let Folder { path, name, .. } = self.0.as_ref();
        let changed = Files::read(path).and_then(|files| {
            if files == state.files {
                return Ok(None);
            }
            Ok(Some((files.configs(name)?, files)))
        });
        match changed {
            Ok(None) => {}
            Ok(Some((configs, files))) => {
                (state.configs, state.files) = (configs, files);
                tracing::info!(folder = %path.display(), "new certificates are in use");
            }
            // Whoever replaces them writes one file after the other: the next look may find a pair.
            Err(error) => tracing::warn!(
                folder = %path.display(),
                error = &error as &dyn std::error::Error,
                "new certificates cannot be used; those of before stay"
            ),
        }
    }
}

impl Files {
    fn read(folder: &Path) -> Result<Self, CertificatesError> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).map_err(|error| CertificatesError::Read(path, error))
        };
        Ok(Self {
            authority: read(AUTHORITY)?,
            chain: read(CHAIN)?,
            key: read(KEY)?,
        })
    }

    fn configs(&self, name: &str) -> Result<Configs, CertificatesError> {
        let certificates = |file, bytes: &[u8]| -> Result<Vec<_>, CertificatesError> {
            let all = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
            let all = all.and_then(|all| match all.is_empty() {
                true => Err(pem::Error::NoItemsFound),
                false => Ok(all),
            });
            all.map_err(|error| CertificatesError::Pem(file, error))
        };
        let chain = certificates(CHAIN, &self.chain)?;
        if !is_named(&chain[0], name) {
            return Err(CertificatesError::Name(name.to_owned()));
        }
        let key = || {
            PrivateKeyDer::from_pem_slice(&self.key)
                .map_err(|error| CertificatesError::Pem(KEY, error))
        };
        let mut roots = RootCertStore::empty();
        for root in certificates(AUTHORITY, &self.authority)? {
            roots.add(root)?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(aws_lc_rs::default_provider()));
        Ok(Configs {
            server: server(roots.clone(), provider.clone(), chain.clone(), key()?)?,
            client: client(roots, provider, chain, key()?)?,
        })
    }
}

fn server(
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, CertificatesError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A session that is resumed verifies no certificate, also not one that has expired since.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn client(
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ClientConfig>, CertificatesError> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Whether the certificate carries the DNS name. Says nothing about who signed it.
pub fn is_named(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let (Ok(certificate), Ok(name)) = (
        ParsedCertificate::try_from(certificate),
        ServerName::try_from(name),
    ) else {
        return false;
    };
    verify_server_name(&certificate, &name).is_ok()
}
