//! One role and one database per service.

use crate::secrets::{Secrets, random_secret};
use anyhow::{Context as _, Result, bail, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::collections::BTreeMap;
use std::str::FromStr as _;
use url::Url;

/// A database and the role that owns it. Lower-case letters, digits and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSpec {
    pub name: String,
    pub owner: String,
}

impl DatabaseSpec {
    pub fn new(name: &str, owner: &str) -> Self {
        Self {
            name: name.to_owned(),
            owner: owner.to_owned(),
        }
    }
}

/// Makes what is missing on the server at `admin_url` and returns the URL of each database, by name.
/// On a server that is `shared` with others a role that exists is never changed.
pub(crate) async fn ensure_all(
    admin_url: &str,
    specs: &[DatabaseSpec],
    secrets: &Secrets,
    shared: bool,
) -> Result<BTreeMap<String, String>> {
    let server = Url::parse(admin_url).context("the PostgreSQL URL cannot be read")?;
    // Statements that make a role name its password.
    let quiet = PgConnectOptions::from_str(admin_url)?.disable_statement_logging();
    let mut admin = PgConnection::connect_with(&quiet)
        .await
        .with_context(|| format!("connecting to PostgreSQL at {}", place(&server)))?;
    let mut urls = BTreeMap::new();
    for spec in specs {
        for name in [&spec.name, &spec.owner] {
            ensure!(
                is_plain(name),
                "`{name}` is no plain name of a database or role"
            );
        }
        let password = ensure_role(&mut admin, &spec.owner, secrets, shared).await?;
        ensure_database(&mut admin, spec).await?;
        let url = url_for(&server, spec, &password)?;
        if shared {
            check(&url, spec, &server).await?;
        }
        urls.insert(spec.name.clone(), url);
    }
    admin.close().await?;
    Ok(urls)
}

async fn ensure_role(
    admin: &mut PgConnection,
    owner: &str,
    secrets: &Secrets,
    shared: bool,
) -> Result<String> {
    let secret = format!("postgres.role.{owner}");
    let known = secrets.get(&secret)?;
    let password = secrets.get_or_create(&secret, random_secret)?;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)")
            .bind(owner)
            .fetch_one(&mut *admin)
            .await?;
    if !exists {
        execute(
            admin,
            format!("CREATE ROLE \"{owner}\" LOGIN PASSWORD '{password}'"),
        )
        .await?;
        // Without this only a superuser may make databases for the role.
        execute(admin, format!("GRANT \"{owner}\" TO CURRENT_USER")).await?;
    } else if known.is_none() && !shared {
        execute(
            admin,
            format!("ALTER ROLE \"{owner}\" LOGIN PASSWORD '{password}'"),
        )
        .await?;
    }
    Ok(password)
}

async fn ensure_database(admin: &mut PgConnection, spec: &DatabaseSpec) -> Result<()> {
    let DatabaseSpec { name, owner } = spec;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(name)
            .fetch_one(&mut *admin)
            .await?;
    if !exists {
        execute(
            admin,
            format!("CREATE DATABASE \"{name}\" OWNER \"{owner}\""),
        )
        .await?;
    }
    // Repeated each time: a crash may have come between the two, and no service may open another's data.
    execute(
        admin,
        format!("REVOKE CONNECT, TEMPORARY ON DATABASE \"{name}\" FROM PUBLIC"),
    )
    .await
}

/// Names were checked to be plain, passwords are base64url: neither needs escaping.
async fn execute(admin: &mut PgConnection, sql: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(admin).await?;
    Ok(())
}

async fn check(url: &str, spec: &DatabaseSpec, server: &Url) -> Result<()> {
    let Err(error) = PgConnection::connect(url).await else {
        return Ok(());
    };
    bail!(
        "the role `{}` cannot open the database `{}` at {} with the password kept in the data folder ({error}): \
         another installation may have made them. Use its data folder, or drop the role and the database",
        spec.owner,
        spec.name,
        place(server)
    )
}

fn url_for(server: &Url, spec: &DatabaseSpec, password: &str) -> Result<String> {
    let mut url = server.clone();
    let fits = url.set_username(&spec.owner).is_ok() && url.set_password(Some(password)).is_ok();
    ensure!(
        fits,
        "the PostgreSQL URL needs a host: postgres://user:password@host:port/"
    );
    url.set_path(&spec.name);
    Ok(url.into())
}

/// Host and port, without the password.
fn place(server: &Url) -> String {
    format!(
        "{}:{}",
        server.host_str().unwrap_or("?"),
        server.port().unwrap_or(5432)
    )
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 63
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_parameters_of_a_server_url() -> Result<()> {
        let server = Url::parse("postgres://root:pw@db.example:6543/postgres?sslmode=require")?;
        let url = url_for(
            &server,
            &DatabaseSpec::new("tickets", "ticket_svc"),
            "s3cr-et_",
        )?;
        assert_eq!(
            url,
            "postgres://ticket_svc:s3cr-et_@db.example:6543/tickets?sslmode=require"
        );
        Ok(())
    }

    #[test]
    fn names_are_plain() {
        assert!(is_plain("tickets_2"));
        for bad in ["", "2x", "Tickets", "a\"b", "a b", "a;b"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
