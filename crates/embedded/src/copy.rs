//! Copies of a private cluster: as it is at one moment, in all its databases, while it goes on working.

use crate::command::Argv;
use crate::jail::Jail;
use crate::layout::{DataDir, private_dir};
use crate::postgres::{SECRET, SUPERUSER, major_of};
use crate::postgres_bin::{self, PostgresBin};
use crate::tools::Tools;
use anyhow::{Context as _, Result, ensure};
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Copies the running cluster of a data folder into the folder `to`, which must not be there yet.
/// `port` is where it runs.
///
/// # Errors
/// When the folder has no cluster, PostgreSQL's programs are not found, or the copy fails.
pub async fn copy_cluster(data_dir: &Path, port: u16, tools: &Tools, to: &Path) -> Result<()> {
    let bin = programs(&data_dir.join("postgres/data"), tools).await?;
    let secrets = crate::Secrets::open(&data_dir.join("secrets"))?;
    let password = secrets
        .get(SECRET)?
        .context("the password of the cluster is gone")?;
    let password_file = to.with_extension("password");
    let written = write_password(&password_file, &password);
    let copied = match written {
        Ok(()) => copy(&bin, port, &password_file, to).await,
        Err(error) => Err(error),
    };
    // It may never have come about.
    let _ = fs::remove_file(&password_file);
    copied
}

fn write_password(path: &Path, password: &str) -> Result<()> {
    let _ = fs::remove_file(path);
    let mut options = OpenOptions::new();
    let mut file = options
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "*:*:*:{SUPERUSER}:{password}")?;
    Ok(())
}

async fn copy(bin: &PostgresBin, port: u16, password_file: &Path, to: &Path) -> Result<()> {
    let server = server_url(port, password_file)?;
    // With the log of what is written meanwhile, so that it is whole by itself.
    let argv = Argv::new(bin.dir.join("pg_basebackup"))
        .words("--wal-method=stream --checkpoint=fast --no-password --dbname")
        .arg(server.as_str())
        .arg("--pgdata")
        .arg(to);
    argv.run().await.context("copying the databases")?;
    Ok(())
}

/// Makes sure that every file of a copy is there and is what was written.
///
/// # Errors
/// Says which file is not.
pub async fn check_copy(copy: &Path, tools: &Tools) -> Result<()> {
    let bin = programs(copy, tools).await?;
    let argv = Argv::new(bin.dir.join("pg_verifybackup")).words("--quiet");
    argv.arg(copy).run().await.context("checking the copy")?;
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

/// Writes one database of a running cluster as an archive for `pg_restore`, without its owner's name.
///
/// # Errors
/// When PostgreSQL's programs are not found, or the file cannot be written.
pub async fn dump_database(
    data: &DataDir,
    postgres: &crate::Postgres,
    tools: &Tools,
    (name, to): (&str, &Path),
) -> Result<()> {
    let bin = programs(&data.path().join("postgres/data"), tools).await?;
    let server = url::Url::parse(postgres.admin_url())?;
    let password_file = to.with_extension("password");
    write_password(&password_file, server.password().unwrap_or_default())?;
    let mut database = server_url(server.port().unwrap_or_default(), &password_file)?;
    database.set_path(name);
    let argv = Argv::new(bin.dir.join("pg_dump"))
        .words("--format=custom --no-owner --no-privileges --no-password --dbname")
        .arg(database.as_str())
        .arg("--file")
        .arg(to);
    let dumped = argv.run().await;
    fs::remove_file(&password_file)?;
    dumped.with_context(|| format!("writing the database {name}"))?;
    Ok(())
}

/// The address for PostgreSQL's programs. A password in an argument could be read by everybody on
/// this machine.
fn server_url(port: u16, password_file: &Path) -> Result<url::Url> {
    let mut server = url::Url::parse("postgres://127.0.0.1/postgres?sslmode=disable")?;
    let fits = server.set_username(SUPERUSER).is_ok() && server.set_port(Some(port)).is_ok();
    ensure!(fits, "an address of this machine has a user and a port");
    let file = password_file.to_string_lossy();
    server.query_pairs_mut().append_pair("passfile", &file);
    Ok(server)
}

async fn programs(cluster: &Path, tools: &Tools) -> Result<PostgresBin> {
    let major = major_of(cluster)?;
    let major = major.with_context(|| format!("{} is not a cluster", cluster.display()))?;
    postgres_bin::find(tools, Some(major)).await
}
