use crate::databases::{self, DatabaseSpec};
use crate::layout::DataDir;
use crate::nats::{self, Nats};
use crate::postgres::Postgres;
use crate::secrets::Secrets;
use crate::tools::Tools;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// Everything lives in this folder; it is made where needed. One process at a time may use it.
    pub data_dir: PathBuf,
    /// The databases to make, each owned by a role of its own with a random password.
    pub databases: Vec<DatabaseSpec>,
    /// Whether what is committed survives a power cut. Off only in tests.
    pub durable: bool,
    /// URL of a PostgreSQL server to use instead of a private one, with a role that may make roles and databases.
    pub postgres: Option<String>,
    /// URL of a nats-server to use instead of a private one.
    pub nats: Option<String>,
    pub tools: Tools,
}

impl StackConfig {
    /// Private, durable servers; programs as the environment says (see [`Tools::from_env`]).
    pub fn new(data_dir: impl Into<PathBuf>, databases: Vec<DatabaseSpec>) -> Self {
        Self {
            data_dir: data_dir.into(),
            databases,
            durable: true,
            postgres: None,
            nats: None,
            tools: Tools::from_env(),
        }
    }
}

/// The running servers. Stop it with [`Stack::stop`]; dropping it ends the servers too, and blocks meanwhile.
#[derive(Debug)]
pub struct Stack {
    // Fields are dropped in this order: NATS, PostgreSQL, then the lock of the folder.
    nats: Option<Nats>,
    postgres: Option<Postgres>,
    admin_url: String,
    nats_url: String,
    database_urls: BTreeMap<String, String>,
    data: DataDir,
}

impl Stack {
    /// Starts both servers side by side and makes the databases. Returns when everything answers.
    ///
    /// # Errors
    /// One sentence that says what to do. Nothing is left running then.
    pub async fn start(config: StackConfig) -> Result<Self> {
        let data = DataDir::open(&config.data_dir)?;
        // Not `try_join`: what one side has begun is finished, or undone in order, before the other's error shows.
        let (databases, queue) = tokio::join!(
            Box::pin(databases(&data, &config)),
            Box::pin(queue(&data, &config))
        );
        let (nats, nats_url) = queue?;
        let (postgres, admin_url, database_urls) = databases?;
        Ok(Self {
            nats,
            postgres,
            admin_url,
            nats_url,
            database_urls,
            data,
        })
    }

    /// URL of one database with the role that owns it. `None` for a name that was not in the configuration.
    pub fn database_url(&self, name: &str) -> Option<&str> {
        self.database_urls.get(name).map(String::as_str)
    }

    /// URL of the PostgreSQL server's administrator.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// URL of the nats-server with its credentials.
    pub fn nats_url(&self) -> &str {
        &self.nats_url
    }

    /// The data folder, absolute.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// The secrets of this installation, for the caller's own keys too.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn secrets(&self) -> Result<Secrets> {
        self.data.secrets()
    }

    /// Process ids of the private servers, PostgreSQL first.
    pub fn pids(&self) -> Vec<u32> {
        let postgres = self.postgres.as_ref().and_then(Postgres::pid);
        postgres
            .into_iter()
            .chain(self.nats.as_ref().and_then(Nats::pid))
            .collect()
    }

    /// Stops NATS, then PostgreSQL, and waits for both. Stop everything that uses them first.
    pub async fn stop(self) {
        if let Some(nats) = self.nats {
            nats.stop().await;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await;
        }
    }
}

async fn databases(
    data: &DataDir,
    config: &StackConfig,
) -> Result<(Option<Postgres>, String, BTreeMap<String, String>)> {
    let secrets = data.secrets()?;
    if let Some(url) = &config.postgres {
        let urls = databases::ensure_all(url, &config.databases, &secrets, true).await?;
        return Ok((None, url.clone(), urls));
    }
    let postgres = Postgres::start(data, &config.tools, config.durable).await?;
    let admin_url = postgres.admin_url().to_owned();
    let urls = databases::ensure_all(&admin_url, &config.databases, &secrets, false)
        .await
        .context("making the databases")?;
    Ok((Some(postgres), admin_url, urls))
}

async fn queue(data: &DataDir, config: &StackConfig) -> Result<(Option<Nats>, String)> {
    if let Some(url) = &config.nats {
        nats::check_external(url).await?;
        return Ok((None, url.clone()));
    }
    let nats = Nats::start(data, &config.tools).await?;
    let url = nats.url().to_owned();
    Ok((Some(nats), url))
}
