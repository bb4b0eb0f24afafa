//! Where the four databases are.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use base::Secret;
use embedded::{DataDir, Postgres, Secrets, Tools};
use url::Url;

use super::Arguments;
use crate::{Config, Databases, facts::running_server};

/// The databases, and the private PostgreSQL where it had to be started for them.
pub(super) struct Located {
    pub databases: Databases,
    pub started: Option<Started>,
}

pub(super) struct Started {
    postgres: Postgres,
    /// Keeps a box office from starting meanwhile.
    _data: DataDir,
}

impl Started {
    pub async fn stop(self) {
        self.postgres.stop().await;
    }
}

/// By the four URLs where they are given, else by the data folder.
pub(super) async fn locate(config: &Config, arguments: &Arguments) -> anyhow::Result<Located> {
    if let Some(databases) = given(arguments)? {
        return Ok(Located {
            databases,
            started: None,
        });
    }
    let folder = &config.data_dir;
    ensure!(
        folder.is_dir(),
        "there is no data folder {}: set BOXOFFICE_DATA_DIR, or the URLs of the four databases",
        folder.display()
    );
    if let Some(server) = &config.database_url {
        return Ok(Located {
            databases: from_secrets(server.expose(), folder)?,
            started: None,
        });
    }
    match DataDir::open(folder) {
        // Somebody else has it: the box office is running.
        Err(in_use) => {
            let server = running_server(folder).with_context(|| format!("{in_use:#}"))?;
            Ok(Located {
                databases: from_secrets(&server, folder)?,
                started: None,
            })
        }
        Ok(data) => start(data).await,
    }
}

fn given(arguments: &Arguments) -> anyhow::Result<Option<Databases>> {
    let Arguments {
        users_database_url: users,
        tickets_database_url: tickets,
        ..
    } = arguments;
    let Arguments {
        payments_database_url: payments,
        notifications_database_url: mails,
        ..
    } = arguments;
    match (users, tickets, payments, mails) {
        (None, None, None, None) => Ok(None),
        (Some(users), Some(tickets), Some(payments), Some(notifications)) => Ok(Some(Databases {
            users: users.clone(),
            tickets: tickets.clone(),
            payments: payments.clone(),
            notifications: notifications.clone(),
        })),
        _ => bail!(
            "USERS_, TICKETS_, PAYMENTS_ and NOTIFICATIONS_DATABASE_URL go together: give all or none"
        ),
    }
}

/// Starts nothing but PostgreSQL, and makes nothing that is not there.
async fn start(data: DataDir) -> anyhow::Result<Located> {
    let folder = data.path().to_owned();
    ensure!(
        folder.join("postgres/data").is_dir(),
        "{} has no databases: set DATABASE_URL if they are on a server of yours, or the URLs of \
         the four databases",
        folder.display()
    );
    let postgres = Postgres::start(&data, &Tools::from_env(), true).await?;
    let databases = from_secrets(postgres.admin_url(), &folder);
    let started = Started {
        postgres,
        _data: data,
    };
    match databases {
        Ok(databases) => Ok(Located {
            databases,
            started: Some(started),
        }),
        Err(error) => {
            started.stop().await;
            Err(error)
        }
    }
}

/// Each database with the role that owns it: the doctor needs no administrator.
fn from_secrets(server: &str, folder: &Path) -> anyhow::Result<Databases> {
    let secrets = Secrets::open(&folder.join("secrets"))?;
    let server = Url::parse(server).context("the PostgreSQL URL cannot be read")?;
    let url = |name: &str| {
        let secret = format!("postgres.role.{name}");
        let password = secrets.get(&secret)?.with_context(|| {
            format!(
                "{} has no secret {secret}: the box office never started",
                folder.display()
            )
        })?;
        let mut url = server.clone();
        let fits = url.set_username(name).is_ok() && url.set_password(Some(&password)).is_ok();
        ensure!(
            fits,
            "the PostgreSQL URL needs a host: postgres://user:password@host:port/"
        );
        url.set_path(name);
        Ok(Secret::new(url))
    };
    Ok(Databases {
        users: url("users")?,
        tickets: url("tickets")?,
        payments: url("payments")?,
        notifications: url("notifications")?,
    })
}
