//! `boxoffice backup` and `boxoffice restore`: all that a box office on its private PostgreSQL keeps.
//!
//! A backup is a folder: the cluster as it was at one moment, so that the four databases fit together
//! (`postgres/`); the keys, without which much of it could not be read (`secrets/`); the pictures
//! (`images/`); and what it is (`backup.json`). What waits in NATS is not in it: payment-svc sends again whatever was not confirmed.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use base::Sources;
use embedded::{DataDir, Postgres, Tools, place_copy};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

use crate::{
    Config, cluster,
    facts::running_server,
    flags::{IMAGES, images_folder},
    run::DEMO_OFFERED,
};

const FORMAT: u32 = 1;
const ABOUT: &str = "backup.json";
const POSTGRES: &str = "postgres";
const SECRETS: &str = "secrets";
const ELSEWHERE: &str = "DATABASE_URL is set: the databases are on a server of yours, whose own tools make and \
    restore its backups (see docs/operations.md)";

/// Where a backup is.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The backup: a folder that holds the databases and the keys. Whoever can read it can read everything.
    pub folder: PathBuf,
}

#[derive(Debug, Deserialize, Serialize)]
struct About {
    format: u32,
    version: String,
    made_at: String,
}

/// Copies everything into a new folder, while the box office is open or closed.
///
/// # Errors
/// If the folder is there already, or there is no box office here; nothing is left behind then.
pub async fn backup(
    config: &Config,
    arguments: &Arguments,
    sources: &Sources,
) -> anyhow::Result<()> {
    ensure!(config.database_url.is_none(), ELSEWHERE);
    let (from, to) = (&config.data_dir, &arguments.folder);
    must_have_one(from)?;
    let pictures = pictures(config)?;
    whole_or_nothing(to, async |draft| {
        fill(from, pictures.as_deref(), draft, sources).await
    })
    .await?;
    println!("Everything in {} is in {}.", from.display(), to.display());
    println!("Keep it where nobody else can read it: the keys are in it.");
    if pictures.is_none() {
        println!("The pictures are not in it: they stay in the bucket of IMAGES_STORE.");
    }
    Ok(())
}

pub(crate) fn must_have_one(data: &Path) -> anyhow::Result<()> {
    ensure!(
        data.join("postgres/data").is_dir(),
        "there is no box office in {}",
        data.display()
    );
    Ok(())
}

/// A new folder with all that `fill` writes. It gets its name when it is whole.
pub(crate) async fn whole_or_nothing(
    to: &Path,
    fill: impl AsyncFnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    ensure!(!to.exists(), "{} is there already", to.display());
    let draft = new_beside(to, ".unfinished")?;
    let made = fill(&draft).await;
    if made.is_err() {
        // What is left of it is worth nothing, and the next try removes it too.
        let _ = fs::remove_dir_all(&draft);
    }
    made?;
    fs::rename(&draft, to).with_context(|| format!("writing {}", to.display()))
}

async fn fill(
    from: &Path,
    pictures: Option<&Path>,
    draft: &Path,
    sources: &Sources,
) -> anyhow::Result<()> {
    let (home, copy) = (from.join("postgres/data"), draft.join(POSTGRES));
    match DataDir::open(from) {
        // Somebody else has it: the box office is open.
        Err(in_use) => {
            let server = running_server(from).with_context(|| format!("{in_use:#}"))?;
            cluster::copy(&home, &server, &copy).await?;
        }
        Ok(data) => {
            let postgres = Postgres::start(&data, &Tools::from_env(), true).await?;
            let copied = cluster::copy(&home, postgres.admin_url(), &copy).await;
            postgres.stop().await;
            copied?;
        }
    }
    cluster::check(&copy).await?;
    copy_secrets(&from.join(SECRETS), &draft.join(SECRETS))?;
    // After the databases: every picture that they name is there by now, and none is ever changed.
    if let Some(pictures) = pictures {
        copy_images(pictures, &draft.join(IMAGES))?;
    }
    let about = About {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: sources.now().format(&Rfc3339)?,
    };
    fs::write(draft.join(ABOUT), serde_json::to_vec_pretty(&about)?)?;
    Ok(())
}

/// Puts a backup where there is no box office yet. The next start goes on from there.
///
/// # Errors
/// If there is one, or the backup is not whole; nothing is changed then.
pub async fn restore(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(config.database_url.is_none(), ELSEWHERE);
    let (from, to) = (&arguments.folder, &config.data_dir);
    let about = fs::read(from.join(ABOUT));
    let about = about.with_context(|| format!("{} is no whole backup", from.display()))?;
    let about: About = serde_json::from_slice(&about)?;
    ensure!(
        about.format == FORMAT,
        "the backup was made by version {}, which this one cannot read",
        about.version
    );
    ensure!(
        is_free(to)?,
        "{} is in use: move it away, or set BOXOFFICE_DATA_DIR to a new folder",
        to.display()
    );
    let copy = from.join(POSTGRES);
    cluster::check(&copy).await?;
    let draft = new_beside(to, ".restoring")?;
    let data = DataDir::open(&draft)?;
    copy_secrets(&from.join(SECRETS), &draft.join(SECRETS))?;
    let pictures = from.join(IMAGES);
    match &config.images_store {
        None => copy_images(&pictures, &draft.join(IMAGES))?,
        Some(_) => restore_elsewhere(config, &pictures)?,
    }
    // This is no first start.
    fs::write(draft.join(DEMO_OFFERED), "")?;
    place_copy(&copy, &data).await?;
    if to.exists() {
        fs::remove_dir(to)?;
    }
    fs::rename(&draft, to).with_context(|| format!("writing {}", to.display()))?;
    println!("{} is as it was at {}.", to.display(), about.made_at);
    println!("Start it, and ask `boxoffice doctor` once it has run for a minute.");
    Ok(())
}

/// The folder that they are copied from; None where they are in a bucket.
pub(crate) fn pictures(config: &Config) -> anyhow::Result<Option<PathBuf>> {
    let folder = images_folder(config);
    if let (Some(folder), Some(_)) = (&folder, &config.images_store) {
        // The gateway made it; what was named and is not there is on a disk that is not.
        let path = folder.display();
        ensure!(folder.is_dir(), "IMAGES_STORE {path} is not there");
    }
    Ok(folder)
}

/// Into the folder that IMAGES_STORE names. A name stands for one picture: what is there already is the same.
fn restore_elsewhere(config: &Config, pictures: &Path) -> anyhow::Result<()> {
    match images_folder(config) {
        Some(folder) => copy_images(pictures, &folder)?,
        None if pictures.is_dir() => println!(
            "IMAGES_STORE is a bucket: put what is in {} there, under the same names.",
            pictures.display()
        ),
        None => {}
    }
    Ok(())
}

fn is_free(folder: &Path) -> anyhow::Result<bool> {
    if !folder.exists() {
        return Ok(true);
    }
    let mut entries = fs::read_dir(folder)?;
    Ok(entries.next().is_none())
}

/// An empty folder of the owner's, with the name of another and more.
fn new_beside(path: &Path, more: &str) -> anyhow::Result<PathBuf> {
    let name = path
        .file_name()
        .with_context(|| format!("{} is no name of a folder", path.display()))?;
    let mut longer = OsString::from(name);
    longer.push(more);
    let beside = path.with_file_name(longer);
    if beside.exists() {
        // Of a try that was interrupted.
        fs::remove_dir_all(&beside)?;
    }
    let mut folder = fs::DirBuilder::new();
    let made = folder.recursive(true).mode(0o700).create(&beside);
    made.with_context(|| format!("making {}", beside.display()))?;
    Ok(beside)
}

/// Nothing where there is no such folder: no gateway was ever started on it, or pictures are elsewhere.
pub(crate) fn copy_images(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true).mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        // A file on its way has a name that ends otherwise, and is nobody's yet.
        let name = entry.file_name();
        if Path::new(&name)
            .extension()
            .is_some_and(|ending| ending == "jpg")
        {
            let copied = fs::copy(entry.path(), to.join(&name));
            copied.with_context(|| format!("copying {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Each readable by the owner only.
pub(crate) fn copy_secrets(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        fs::copy(entry.path(), &copy)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}
