use crate::layout::private_dir;
use anyhow::{Context as _, Result, bail};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The random secrets of one installation: a folder with one file per secret (mode 0600).
#[derive(Debug, Clone)]
pub struct Secrets {
    dir: PathBuf,
}

impl Secrets {
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(dir: &Path) -> Result<Self> {
        private_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// The secret of this name; where there is none yet, `value` makes it and it is on disk before this returns.
    /// `name` is a file name: lower-case letters, digits, `.`, `-` and `_`.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is empty.
    pub fn get_or_create(&self, name: &str, value: impl FnOnce() -> String) -> Result<String> {
        if let Some(found) = self.get(name)? {
            return Ok(found);
        }
        let value = value();
        self.store(name, &value)
            .with_context(|| format!("storing the secret {}", self.dir.join(name).display()))?;
        Ok(value)
    }

    /// The secret of this name, if it was made before.
    ///
    /// # Errors
    /// When the file cannot be read or is empty.
    pub fn get(&self, name: &str) -> Result<Option<String>> {
        let path = self.dir.join(name);
        match fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => bail!("the secret {} is empty", path.display()),
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Written beside and renamed, so that a crash leaves no half secret; synced, because what a secret has
    /// signed must stay valid.
    fn store(&self, name: &str, value: &str) -> std::io::Result<()> {
        let draft = self.dir.join(format!("{name}.new"));
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        writeln!(file, "{value}")?;
        file.sync_all()?;
        fs::rename(&draft, self.dir.join(name))?;
        File::open(&self.dir)?.sync_all()
    }
}

/// 32 random bytes as base64url without padding: needs no quoting in a URL, a configuration file or SQL.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate stands alone and is given no Sources"
)]
pub fn random_secret() -> String {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).expect("invariant: the operating system gives randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}
