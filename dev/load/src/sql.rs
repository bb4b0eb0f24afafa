//! Statements of the bench itself: to look, and to bring about what takes too long otherwise. Guests do not use it.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

/// A database of the box office's server, as its administrator.
pub fn database(admin_url: &str, name: &str) -> anyhow::Result<String> {
    let mut url = Url::parse(admin_url).context("the server's URL")?;
    url.set_path(name);
    Ok(url.into())
}

pub async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    PgConnection::connect(url)
        .await
        .context("connecting to PostgreSQL")
}

/// Statements without parameters, one after the other. The text is this program's own.
pub async fn execute(connection: &mut PgConnection, text: impl Into<String>) -> anyhow::Result<()> {
    let text: String = text.into();
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets a session draw ids as ticket-svc does for holds that it makes at a time: the day in front, the rest anywhere.
pub async fn hold_ids(connection: &mut PgConnection) -> anyhow::Result<()> {
    let function = "CREATE FUNCTION pg_temp.hold_id(at timestamptz) RETURNS uuid LANGUAGE sql AS $$
        SELECT (lpad(to_hex((at AT TIME ZONE 'UTC')::date - date '2020-01-01'), 4, '0')
                || right(replace(gen_random_uuid()::text, '-', ''), 28))::uuid $$";
    execute(connection, function).await
}

/// One number. The text is this program's own.
pub async fn number(connection: &mut PgConnection, text: &str) -> anyhow::Result<i64> {
    let text = AssertSqlSafe(text.to_owned());
    Ok(sqlx::query_scalar(text).fetch_one(connection).await?)
}

/// One text. The text of the statement is this program's own.
pub async fn text(connection: &mut PgConnection, text: &str) -> anyhow::Result<String> {
    let text = AssertSqlSafe(text.to_owned());
    Ok(sqlx::query_scalar(text).fetch_one(connection).await?)
}
