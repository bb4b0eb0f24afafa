//! PostgreSQL refuses to run as root. For root this finds a way to run it as somebody else.

use crate::command::{Argv, is_root, on_path};
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

impl Jail {
    /// A way to run programs that may write `home`, which exists and is inside `data_dir`.
    pub(crate) async fn choose(data_dir: &Path, home: &Path) -> Result<Self> {
        if !is_root().await {
            return Ok(Self::Plain);
        }
        if on_path("unshare").is_some() && Self::UserNamespace.can_write(home).await {
            return Ok(Self::UserNamespace);
        }
        for name in ["postgres", "nobody"] {
            let (Some(uid), Some(gid)) = (id("-u", name).await, id("-g", name).await) else {
                continue;
            };
            // The account has to pass through the data folder; what lies in it stays closed.
            fs::set_permissions(data_dir, fs::Permissions::from_mode(0o711))?;
            let jail = Self::Account { uid, gid };
            jail.give(home)?;
            if jail.can_write(home).await {
                return Ok(jail);
            }
        }
        bail!(
            "PostgreSQL does not run as root, this system forbids user namespaces, and neither `postgres` nor \
             `nobody` can reach {}: set BOXOFFICE_DATA_DIR to a folder whose parents everybody may enter (such as \
             /var/lib/boxoffice), or run boxoffice as another user",
            home.display()
        )
    }

    /// The beginning of a command line: each program in it replaces itself by the next, so the pid stays.
    pub(crate) fn argv(&self) -> Argv {
        let namespace = "unshare --user --map-user=1000 --map-group=1000";
        match self {
            Self::Plain => Argv::default(),
            Self::UserNamespace => Argv::default().words(namespace),
            Self::Account { uid, gid } => Argv::default().words(&format!(
                "setpriv --reuid={uid} --regid={gid} --clear-groups"
            )),
        }
    }

    /// Gives one file or folder to whom the programs run as.
    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        let Self::Account { uid, gid } = self else {
            return Ok(());
        };
        let given = chown(path, Some(*uid), Some(*gid));
        given.with_context(|| format!("giving {} to user {uid}", path.display()))
    }

    async fn can_write(&self, dir: &Path) -> bool {
        let probe = self.argv().words("sh -c").arg(r#"cd "$1" && test -w ."#);
        probe.arg("sh").arg(dir).succeeds().await
    }
}

async fn id(flag: &str, account: &str) -> Option<u32> {
    let said = Argv::new("id").arg(flag).arg(account).run().await.ok()?;
    said.trim().parse().ok()
}
