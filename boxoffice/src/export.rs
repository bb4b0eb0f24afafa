//! `boxoffice export`: what is needed to go on elsewhere, with the services on machines of their own.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use embedded::{DataDir, Postgres, Tools};

use crate::{Config, Keys, cluster, run::DATABASES};

const KEYS: &str = "keys.env";

/// Where to.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// A folder that is not there yet. Whoever can read it can read everything.
    pub folder: PathBuf,
}

/// Writes each database as an archive for `pg_restore`, and the keys as settings of the services. The
/// box office has to be closed: what it sold afterwards would not be there.
///
/// # Errors
/// If the box office is open, or the folder is there already.
pub async fn export(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(
        config.database_url.is_none(),
        "DATABASE_URL is set: the databases are on a server of yours already"
    );
    let (from, to) = (&config.data_dir, &arguments.folder);
    ensure!(
        from.join("postgres/data").is_dir(),
        "there is no box office in {}",
        from.display()
    );
    let data = DataDir::open(from)?;
    let mut folder = fs::DirBuilder::new();
    let made = folder.mode(0o700).create(to);
    made.with_context(|| format!("making {}", to.display()))?;
    let postgres = Postgres::start(&data, &Tools::from_env(), true).await?;
    let dumped = dump_all(&data, &postgres, to).await;
    postgres.stop().await;
    dumped?;
    write_keys(&data, &to.join(KEYS))?;
    println!("The databases and {KEYS} are in {}.", to.display());
    println!("How to go on: docs/operations.md, \"From the all-in-one to the mesh\".");
    Ok(())
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
