//! What copies of a private cluster are made, checked and put back with.

use crate::command::Argv;
use crate::jail::Jail;
use crate::layout::{DataDir, private_dir};
use crate::postgres::major_of;
use crate::postgres_bin;
use crate::tools::Tools;
use anyhow::{Context as _, Result, ensure};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Runs one of PostgreSQL's programs to its end: of the version that made `cluster`, or a copy of one.
///
/// # Errors
/// When the folder is no cluster, the program is not found, or it fails.
pub async fn run_postgres_program(
    cluster: &Path,
    tools: &Tools,
    name: &str,
    arguments: &[&OsStr],
) -> Result<()> {
    let major = major_of(cluster)?;
    let major = major.with_context(|| format!("{} is not a cluster", cluster.display()))?;
    let bin = postgres_bin::find(tools, Some(major)).await?;
    let argv = arguments
        .iter()
        .fold(Argv::new(bin.dir.join(name)), Argv::arg);
    argv.run().await?;
    Ok(())
}

/// Puts a copy where the cluster of this data folder, which has none, belongs.
///
/// # Errors
/// When it has one, or files cannot be written.
pub async fn place_copy(copy: &Path, data: &DataDir) -> Result<()> {
    let home = data.folder("postgres")?;
    let cluster = home.join("data");
    ensure!(!cluster.exists(), "{} is there already", cluster.display());
    let jail = Jail::choose(data.path(), &home).await?;
    place(copy, &cluster, &jail)
}

fn place(from: &Path, to: &Path, jail: &Jail) -> Result<()> {
    private_dir(to)?;
    jail.give(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            place(&from, &to, jail)?;
            continue;
        }
        fs::copy(&from, &to).with_context(|| format!("writing {}", to.display()))?;
        fs::set_permissions(&to, Permissions::from_mode(0o600))?;
        jail.give(&to)?;
    }
    Ok(())
}
