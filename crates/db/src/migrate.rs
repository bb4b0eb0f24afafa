use crate::server::server;
use crate::{Db, DbError};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const POLL_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error("the database cannot be reached")]
    Connect(#[from] sqlx::Error),
    #[error("a migration failed")]
    Run(#[from] MigrateError),
    #[error("migration {version} was edited after it had been applied")]
    Edited { version: i64 },
    #[error("migration {version} is still missing after {waited_secs} s; run the migrations first")]
    Missing { version: i64, waited_secs: u64 },
    #[error("the database could not be asked for its migrations within {waited_secs} s")]
    NoAnswer { waited_secs: u64, source: DbError },
}

/// Applies what is missing, in a session of its own without time limits. Several at once wait for each other.
pub async fn migrate(url: &str, migrator: &Migrator) -> Result<(), MigrationError> {
    let options = server(url)?;
    let mut session = options.application_name("migrate").connect().await?;
    migrator.run(&mut session).await?;
    session.close().await?;
    Ok(())
}

/// Waits until every migration this binary knows is applied; services call it before they are ready. A database that
/// is ahead is fine, because migrations work under the previous binary.
pub async fn wait_for_migrations(
    db: &Db,
    migrator: &Migrator,
    patience: Duration,
) -> Result<(), MigrationError> {
    let until = Instant::now() + patience;
    let waited_secs = patience.as_secs();
    loop {
        let not_yet = match applied(db).await {
            Ok(applied) => match first_missing(&applied, migrator)? {
                None => return Ok(()),
                Some(version) => MigrationError::Missing {
                    version,
                    waited_secs,
                },
            },
            Err(source) => MigrationError::NoAnswer {
                waited_secs,
                source,
            },
        };
        if Instant::now() >= until {
            return Err(not_yet);
        }
        tracing::debug!(%not_yet, "waiting for migrations");
        sleep(POLL_EVERY).await;
    }
}

/// Checksums by version; empty before the first migration.
async fn applied(db: &Db) -> Result<HashMap<i64, Vec<u8>>, DbError> {
    db.read((), |session, ()| Box::pin(read_applied(session)))
        .await
}

async fn read_applied(session: &mut PgConnection) -> Result<HashMap<i64, Vec<u8>>, DbError> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *session)
        .await?;
    if !exists {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success")
            .fetch_all(session)
            .await?;
    Ok(rows.into_iter().collect())
}

fn first_missing(
    applied: &HashMap<i64, Vec<u8>>,
    migrator: &Migrator,
) -> Result<Option<i64>, MigrationError> {
    for migration in migrator
        .iter()
        .filter(|migration| !migration.migration_type.is_down_migration())
    {
        match applied.get(&migration.version) {
            None => return Ok(Some(migration.version)),
            Some(checksum) if checksum.as_slice() != migration.checksum.as_ref() => {
                return Err(MigrationError::Edited {
                    version: migration.version,
                });
            }
            Some(_) => {}
        }
    }
    Ok(None)
}
