//! Sessions that can only look.

use std::{str::FromStr as _, time::Duration};

use anyhow::{Context as _, ensure};
use base::Secret;
use sqlx::{
    ConnectOptions as _, PgConnection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgDatabaseError},
};

/// What `pg_stat_activity` shows, so that the doctor does not take itself for a leaked session.
const APPLICATION_NAME: &str = "boxoffice doctor";
const UNDEFINED_TABLE: &str = "42P01";

/// A session in which every transaction is read-only and each statement has a limit.
///
/// # Errors
/// When the URL is malformed or nobody answers.
pub async fn open_session(url: &Secret, statement_limit: Duration) -> anyhow::Result<PgConnection> {
    let options = PgConnectOptions::from_str(url.expose()).context("the URL cannot be read")?;
    let limit = format!("{}ms", statement_limit.as_millis());
    let options = options.application_name(APPLICATION_NAME).options([
        ("default_transaction_read_only", "on"),
        ("default_transaction_isolation", "repeatable read"),
        ("statement_timeout", limit.as_str()),
        ("lock_timeout", "2s"),
        // Compiling a question that is asked once costs more than it saves.
        ("jit", "off"),
        // A snapshot waits while the others are asked.
        ("idle_in_transaction_session_timeout", "0"),
        ("timezone", "UTC"),
    ]);
    Ok(options.disable_statement_logging().connect().await?)
}

/// A session in a snapshot, of a database (by name and URL) that has all of its migrations.
pub(super) async fn snapshot(
    (name, url): (&'static str, &Secret),
    migrator: &Migrator,
    statement_limit: Duration,
) -> anyhow::Result<PgConnection> {
    let open = async {
        let mut session = open_session(url, statement_limit).await?;
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .execute(&mut session)
            .await?;
        // The first statement that reads takes the snapshot.
        let applied = newest_migration(&mut session).await?;
        let known = migrator.iter().map(|migration| migration.version).max();
        ensure!(
            applied >= known,
            "its newest migration is {}, and this binary knows {}: start the box office, which \
             migrates, or run the service's `migrate`",
            applied.unwrap_or(0),
            known.unwrap_or(0),
        );
        anyhow::Ok(session)
    };
    open.await.with_context(|| format!("the {name} database"))
}

/// `None` before the first one.
async fn newest_migration(session: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    let newest = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success");
    match newest.fetch_one(session).await {
        Err(sqlx::Error::Database(error))
            if error.downcast_ref::<PgDatabaseError>().code() == UNDEFINED_TABLE =>
        {
            Ok(None)
        }
        newest => newest,
    }
}
