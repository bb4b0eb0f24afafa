//! `boxoffice export`: what is needed to go on elsewhere, with the services on machines of their own.

use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::ensure;
use embedded::{DataDir, Postgres, Tools};

use crate::{
    Config, Keys,
    backup::{copy_images, must_have_one, pictures, whole_or_nothing},
    cluster,
    flags::IMAGES,
    run::DATABASES,
};

const KEYS: &str = "keys.env";

/// Where to.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// A folder that is not there yet. Whoever can read it can read everything.
    pub folder: PathBuf,
}

/// Writes each database as an archive for `pg_restore`, the keys as settings of the services, and the
/// pictures as they are. The box office has to be closed: what it sold afterwards would not be there.
///
/// # Errors
/// If the box office is open, or the folder is there already; nothing is left behind then.
pub async fn export(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(
        config.database_url.is_none(),
        "DATABASE_URL is set: the databases are on a server of yours already"
    );
    let (from, to) = (&config.data_dir, &arguments.folder);
    must_have_one(from)?;
    let pictures = pictures(config)?;
    let data = DataDir::open(from)?;
    whole_or_nothing(to, async |draft| {
        fill(&data, pictures.as_deref(), draft).await
    })
    .await?;
    println!("The databases and {KEYS} are in {}.", to.display());
    match pictures {
        Some(_) => println!("The pictures are beside them, in {IMAGES}."),
        None => println!("The pictures stay where they are, in the bucket of IMAGES_STORE."),
    }
    println!("How to go on: docs/operations.md, \"From the all-in-one to the mesh\".");
    Ok(())
}

async fn fill(data: &DataDir, pictures: Option<&Path>, draft: &Path) -> anyhow::Result<()> {
    let postgres = Postgres::start(data, &Tools::from_env(), true).await?;
    let dumped = dump_all(data, &postgres, draft).await;
    postgres.stop().await;
    dumped?;
    write_keys(data, &draft.join(KEYS))?;
    match pictures {
        Some(folder) => copy_images(folder, &draft.join(IMAGES)),
        None => Ok(()),
    }
}

async fn dump_all(data: &DataDir, postgres: &Postgres, to: &Path) -> anyhow::Result<()> {
    let home = data.path().join("postgres/data");
    for name in DATABASES {
        let file = to.join(format!("{name}.dump"));
        cluster::dump(&home, postgres.admin_url(), name, &file).await?;
    }
    Ok(())
}

/// As `NAME=value`, which Kubernetes, Compose and systemd read alike.
fn write_keys(data: &DataDir, path: &Path) -> anyhow::Result<()> {
    let keys = Keys::open(&data.secrets()?)?;
    let mut options = File::options();
    let mut file = options
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    for (name, value) in keys.settings() {
        writeln!(file, "{name}={}", value.expose())?;
    }
    Ok(())
}
