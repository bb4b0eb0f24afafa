//! Copies of the databases of a private PostgreSQL, made by its own programs.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use embedded::{Tools, run_postgres_program};
use url::Url;

/// Copies a running cluster into the folder `to`, as it is at one moment in all its databases. With the
/// log of what is written meanwhile, so that the copy is whole by itself.
pub(crate) async fn copy(cluster: &Path, server: &str, to: &Path) -> anyhow::Result<()> {
    let login = Login::new(server, "postgres", to)?;
    let arguments = [
        "--wal-method=stream",
        "--checkpoint=fast",
        "--no-password",
        "--dbname",
        login.url.as_str(),
        "--pgdata",
    ];
    let mut arguments: Vec<&OsStr> = arguments.map(OsStr::new).to_vec();
    arguments.push(to.as_os_str());
    let copied = run(cluster, "pg_basebackup", &arguments);
    copied.await.context("copying the databases")
}

/// Makes sure that every file of a copy is there and is what was written.
pub(crate) async fn check(copy: &Path) -> anyhow::Result<()> {
    let arguments = [OsStr::new("--quiet"), copy.as_os_str()];
    let checked = run(copy, "pg_verifybackup", &arguments);
    checked.await.context("checking the copy")
}

/// Writes one database of a running cluster as an archive for `pg_restore`, without its owner's name.
pub(crate) async fn dump(
    cluster: &Path,
    server: &str,
    name: &str,
    to: &Path,
) -> anyhow::Result<()> {
    let login = Login::new(server, name, to)?;
    let arguments = [
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        "--no-password",
        "--dbname",
        login.url.as_str(),
        "--file",
    ];
    let mut arguments: Vec<&OsStr> = arguments.map(OsStr::new).to_vec();
    arguments.push(to.as_os_str());
    let dumped = run(cluster, "pg_dump", &arguments);
    dumped
        .await
        .with_context(|| format!("writing the database {name}"))
}

async fn run(cluster: &Path, name: &str, arguments: &[&OsStr]) -> anyhow::Result<()> {
    run_postgres_program(cluster, &Tools::from_env(), name, arguments).await
}

/// How a program gets in: the password stands in a file, because an argument could be read by
/// everybody on this machine. The file is gone with this value.
struct Login {
    url: Url,
    file: PathBuf,
}

impl Login {
    /// `beside`: what is being written.
    fn new(server: &str, database: &str, beside: &Path) -> anyhow::Result<Self> {
        let mut url = Url::parse(server).context("the PostgreSQL URL cannot be read")?;
        let password = url.password().unwrap_or_default().to_owned();
        ensure!(
            url.set_password(None).is_ok(),
            "the PostgreSQL URL has no host"
        );
        url.set_path(database);
        let file = beside.with_extension("password");
        let passfile = file.to_string_lossy().into_owned();
        url.query_pairs_mut().append_pair("passfile", &passfile);
        let mut options = File::options();
        options.create_new(true).write(true).mode(0o600);
        // Of a try that was interrupted, perhaps.
        let _ = fs::remove_file(&file);
        let login = Self { url, file };
        writeln!(options.open(&login.file)?, "*:*:*:*:{password}")?;
        Ok(login)
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        // It may never have come about.
        let _ = fs::remove_file(&self.file);
    }
}
