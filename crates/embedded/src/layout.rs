use crate::secrets::Secrets;
use anyhow::{Context as _, Result, bail};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The data folder of one installation, locked for this process for as long as the value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Unlocked by the system when the process ends, however it ends.
    _lock: File,
}

impl DataDir {
    /// Creates the folder where needed and locks it.
    ///
    /// # Errors
    /// Says which process holds the folder when another one does.
    pub fn open(path: &Path) -> Result<Self> {
        private_dir(path)?;
        // Servers get paths as arguments and have another working directory.
        let path = fs::canonicalize(path).with_context(|| format!("finding {}", path.display()))?;
        let lock_path = path.join("lock");
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .with_context(|| format!("opening {}", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&lock_path).unwrap_or_default();
                bail!(
                    "another boxoffice (process {}) is running on the data folder {}: stop it first, \
                     or set BOXOFFICE_DATA_DIR to another folder",
                    holder.trim(),
                    path.display()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", lock_path.display()));
            }
        }
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secrets of this installation.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn secrets(&self) -> Result<Secrets> {
        Secrets::open(&self.path.join("secrets"))
    }

    pub(crate) fn log_file(&self, server: &str) -> Result<PathBuf> {
        let logs = self.path.join("logs");
        private_dir(&logs)?;
        Ok(logs.join(format!("{server}.log")))
    }

    pub(crate) fn port_file(&self, server: &str) -> Result<PathBuf> {
        let ports = self.path.join("ports");
        private_dir(&ports)?;
        Ok(ports.join(server))
    }

    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.path.join(name);
        private_dir(&folder)?;
        Ok(folder)
    }
}

/// Makes a folder (and its parents) that only its owner can enter; one that exists stays as it is.
pub(crate) fn private_dir(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("creating the folder {}", path.display()))
}
