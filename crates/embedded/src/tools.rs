use std::env;
use std::path::PathBuf;

/// Where to look for the servers' programs before looking around.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    /// Folder with `postgres` and `initdb` (`POSTGRES_BIN_DIR`).
    pub postgres_bin_dir: Option<PathBuf>,
    /// A nats-server program (`NATS_SERVER_BIN`).
    pub nats_server_bin: Option<PathBuf>,
    /// Folder for downloaded programs, shared by all data folders of this user.
    pub cache_dir: Option<PathBuf>,
}

impl Tools {
    /// Reads `POSTGRES_BIN_DIR`, `NATS_SERVER_BIN`, and `XDG_CACHE_HOME` or `HOME` for the cache.
    #[expect(
        clippy::disallowed_methods,
        reason = "where this machine keeps its programs, read in one place"
    )]
    pub fn from_env() -> Self {
        let path = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let cache = path("XDG_CACHE_HOME").or_else(|| path("HOME").map(|home| home.join(".cache")));
        Self {
            postgres_bin_dir: path("POSTGRES_BIN_DIR"),
            nats_server_bin: path("NATS_SERVER_BIN"),
            cache_dir: cache.map(|cache| cache.join("boxoffice/tools")),
        }
    }
}
