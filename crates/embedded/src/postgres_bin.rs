//! Which PostgreSQL to run.

use crate::command::{Argv, apt_install, is_program, on_path};
use crate::tools::Tools;
use anyhow::{Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

const OLDEST_MAJOR: u32 = 15;

/// A folder with `postgres` and `initdb`, and their major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostgresBin {
    pub dir: PathBuf,
    pub major: u32,
}

/// Finds PostgreSQL 15 or newer, or installs it where that is allowed. A cluster that exists (`existing_major`)
/// can only be run by its own major version.
pub(crate) async fn find(tools: &Tools, existing_major: Option<u32>) -> Result<PostgresBin> {
    let needed = existing_major.map_or_else(
        || format!("version {OLDEST_MAJOR} or newer is needed"),
        |major| format!("the data folder was made by version {major}, which is needed to run it"),
    );
    if let Some(dir) = &tools.postgres_bin_dir {
        let Some(bin) = inspect(dir).await else {
            bail!(
                "POSTGRES_BIN_DIR: no `postgres` and `initdb` in {}",
                dir.display()
            );
        };
        ensure!(
            fits(&bin, existing_major),
            "POSTGRES_BIN_DIR is PostgreSQL {}: {needed}",
            bin.major
        );
        return Ok(bin);
    }
    if let Some(bin) = look_around(existing_major).await {
        return Ok(bin);
    }
    if install().await?
        && let Some(bin) = look_around(existing_major).await
    {
        return Ok(bin);
    }
    bail!(
        "no suitable PostgreSQL found: {needed}. Install it (`apt-get install postgresql`, `brew install postgresql@17`), \
         or set POSTGRES_BIN_DIR to the folder of its programs, or DATABASE_URL to a running server"
    )
}

fn fits(bin: &PostgresBin, existing_major: Option<u32>) -> bool {
    existing_major.map_or(bin.major >= OLDEST_MAJOR, |major| bin.major == major)
}

/// The one on the PATH goes first, then the newest.
async fn look_around(existing_major: Option<u32>) -> Option<PostgresBin> {
    let on_path = on_path("postgres").and_then(|file| fs::canonicalize(file).ok());
    let on_path = on_path
        .as_deref()
        .and_then(Path::parent)
        .map(Path::to_owned);
    let mut found = Vec::new();
    for dir in on_path.iter().chain(&usual_places()) {
        let Some(bin) = inspect(dir).await.filter(|bin| fits(bin, existing_major)) else {
            continue;
        };
        if on_path.as_ref() == Some(dir) {
            return Some(bin);
        }
        found.push(bin);
    }
    found.into_iter().max_by_key(|bin| bin.major)
}

fn usual_places() -> Vec<PathBuf> {
    // Debian and Ubuntu; Homebrew on Apple and Intel machines; Red Hat.
    let roots = [
        ("/usr/lib/postgresql", ""),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/usr", "pgsql-"),
    ];
    let mut places = Vec::new();
    for (root, start) in roots {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let bin = entry.path().join("bin");
            if entry.file_name().to_string_lossy().starts_with(start) && bin.is_dir() {
                places.push(bin);
            }
        }
    }
    places
}

async fn inspect(dir: &Path) -> Option<PostgresBin> {
    let postgres = dir.join("postgres");
    if !is_program(&postgres) || !is_program(&dir.join("initdb")) {
        return None;
    }
    let said = Argv::new(postgres).arg("--version").run().await.ok()?;
    let (dir, major) = (dir.to_owned(), major_of(&said)?);
    Some(PostgresBin { dir, major })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → 15.
fn major_of(said: &str) -> Option<u32> {
    let version = said.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Debian's package makes and starts a cluster of its own on port 5432; nobody asked for that one. Where the
/// package system already knows the administrator's wish, it stays as it is.
async fn install() -> Result<bool> {
    let settings = Path::new("/etc/postgresql-common");
    if !settings.exists() && on_path("apt-get").is_some() {
        let ours = settings.join("createcluster.d");
        if fs::create_dir_all(&ours).is_ok() {
            fs::write(ours.join("boxoffice.conf"), "create_main_cluster = false\n")?;
        }
    }
    apt_install("postgresql").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(
            major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"),
            Some(15)
        );
        assert_eq!(major_of("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_of("something else"), None);
    }

    #[test]
    fn an_existing_cluster_decides_the_version() {
        let bin = PostgresBin {
            dir: PathBuf::new(),
            major: 17,
        };
        assert!(fits(&bin, None) && fits(&bin, Some(17)));
        assert!(!fits(&bin, Some(15)));
        assert!(!fits(&PostgresBin { major: 14, ..bin }, None));
    }
}
