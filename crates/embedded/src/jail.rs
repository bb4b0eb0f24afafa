//! PostgreSQL refuses to run as root. For root this finds a way to run it as somebody else.

use crate::command::{argv, is_root, on_path, run, succeeds};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Jail {
    /// We are not root: as ourselves.
    Plain,
    /// In a user namespace in which we appear as user 1000: no rights of root, while files stay ours.
    UserNamespace,
    /// As another account of this system, to which the files are given.
    Account { uid: u32, gid: u32 },
}

const NAMESPACE: [&str; 4] = ["unshare", "--user", "--map-user=1000", "--map-group=1000"];

impl Jail {
    /// A way to run programs that may write `home`, which exists and is inside `data_dir`.
    pub(crate) async fn choose(data_dir: &Path, home: &Path) -> Result<Self> {
        if !is_root().await {
            return Ok(Self::Plain);
        }
        if on_path("unshare").is_some() && Self::UserNamespace.can_write(home).await {
            return Ok(Self::UserNamespace);
        }
        for account in ["postgres", "nobody"] {
            if let Some(jail) = Self::account(account).await {
                // The account has to pass through the data folder; what lies in it stays closed.
                fs::set_permissions(data_dir, fs::Permissions::from_mode(0o711))?;
                jail.give(home)?;
                if jail.can_write(home).await {
                    return Ok(jail);
                }
            }
        }
        bail!(
            "PostgreSQL does not run as root, this system forbids user namespaces, and neither `postgres` nor \
             `nobody` can reach {}: set BOXOFFICE_DATA_DIR to a folder whose parents everybody may enter (such as \
             /var/lib/boxoffice), or run boxoffice as another user",
            home.display()
        )
    }

    /// What stands before a command line.
    pub(crate) fn prefix(&self) -> Vec<String> {
        match self {
            Self::Plain => Vec::new(),
            Self::UserNamespace => argv(NAMESPACE),
            Self::Account { uid, gid } => vec![
                "setpriv".to_owned(),
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".to_owned(),
            ],
        }
    }

    /// Gives one file or folder to whom the programs run as.
    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        if let Self::Account { uid, gid } = self {
            chown(path, Some(*uid), Some(*gid))
                .with_context(|| format!("giving {} to user {uid}", path.display()))?;
        }
        Ok(())
    }

    async fn account(name: &str) -> Option<Self> {
        let id = async |flag| {
            run(&argv(["id", flag, name]), &[])
                .await
                .ok()?
                .trim()
                .parse()
                .ok()
        };
        Some(Self::Account {
            uid: id("-u").await?,
            gid: id("-g").await?,
        })
    }

    async fn can_write(&self, dir: &Path) -> bool {
        let mut probe = self.prefix();
        probe.extend(argv(["sh", "-c", r#"cd "$1" && test -w ."#, "sh"]));
        probe.push(dir.display().to_string());
        succeeds(&probe).await
    }
}
