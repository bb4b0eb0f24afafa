use crate::Infra;
use crate::keys::random_text;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use std::collections::BTreeMap;
use tokio::sync::Mutex;
use url::Url;

/// A database of one test, made from a migrated template.
#[derive(Debug, Clone)]
pub struct TestDb {
    /// URL with the role that owns the database, as a service would get it.
    pub url: String,
    pub name: String,
    admin_url: String,
}

impl TestDb {
    /// A small pool for a test's own statements. No hooks, no limits: not what services use.
    pub async fn pool(&self) -> PgPool {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect(&self.url)
            .await;
        pool.unwrap_or_else(|error| panic!("connecting to {}: {error}", self.name))
    }

    /// One connection for a test's own statements.
    pub async fn connect(&self) -> PgConnection {
        let connection = PgConnection::connect(&self.url).await;
        connection.unwrap_or_else(|error| panic!("connecting to {}: {error}", self.name))
    }

    /// URL of this database as the cluster's superuser, for faults that the owner may not cause.
    pub fn admin_url(&self) -> String {
        self.admin_url.clone()
    }

    /// As [`tables_with`] of this database.
    pub async fn tables_with(&self, text: &str) -> Vec<String> {
        tables_with(&mut self.connect().await, text).await
    }

    /// Lets every deadline of a column that lies ahead be now, as if the time had passed. The services' guards read
    /// the database's clock, which nobody can move.
    pub async fn make_due(&self, table: &str, column: &str) {
        let sql = format!(
            "UPDATE {table} SET {column} = clock_timestamp() WHERE {column} > clock_timestamp()"
        );
        let updated = execute(&mut self.connect().await, sql).await;
        updated.unwrap_or_else(|error| panic!("making {table}.{column} due: {error}"));
    }
}

/// The tables with a row that has this text in it: plain, or as bytes of a `bytea`, which Postgres writes in hex. For
/// what must be nowhere in the clear; look once for something that is there, too. Take a long text: three letters in
/// hex are in some random key one day.
pub async fn tables_with(conn: &mut PgConnection, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT CASE schemaname WHEN 'public' THEN format('%I', tablename)
                     ELSE format('%I.%I', schemaname, tablename) END FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap_or_else(|error| panic!("listing the tables: {error}"));
    let mut with = Vec::new();
    for table in tables {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM {table} t WHERE position($1 IN t::text) > 0
                 OR position(encode(convert_to($1, 'UTF8'), 'hex') IN t::text) > 0)"
        );
        let found: bool = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(text)
            .fetch_one(&mut *conn)
            .await
            .unwrap_or_else(|error| panic!("searching {table}: {error}"));
        if found {
            with.push(table);
        }
    }
    with
}

/// A fresh, migrated database for one test. `template` names the schema (`tickets`; lower-case letters and `_`):
/// it is migrated once per test binary, then copied. Calls with the same name must pass the same migrator.
pub async fn database(template: &str, migrator: &Migrator) -> TestDb {
    static SHARED: Mutex<Factory> = Mutex::const_new(Factory::new());
    let server = Infra::postgres_url();
    SHARED.lock().await.make(&server, template, migrator).await
}

/// Makes the databases of one cluster, one after the other: a template must have no other user while it is copied.
#[derive(Debug, Default)]
pub(crate) struct Factory {
    /// Migrated templates, and the URL of the role that owns each.
    templates: BTreeMap<String, String>,
    made: u32,
}

impl Factory {
    const fn new() -> Self {
        Self {
            templates: BTreeMap::new(),
            made: 0,
        }
    }

    /// `server` is the URL of the cluster's superuser.
    pub(crate) async fn make(
        &mut self,
        server: &str,
        template: &str,
        migrator: &Migrator,
    ) -> TestDb {
        self.try_make(server, template, migrator)
            .await
            .unwrap_or_else(|error| panic!("making a test database from `{template}`: {error}"))
    }

    async fn try_make(
        &mut self,
        server: &str,
        template: &str,
        migrator: &Migrator,
    ) -> Result<TestDb, sqlx::Error> {
        let mut admin = PgConnection::connect(server).await?;
        let owner = match self.templates.get(template) {
            Some(owner) => owner.clone(),
            None => {
                let owner = make_template(&mut admin, server, template, migrator).await?;
                self.templates.insert(template.to_owned(), owner.clone());
                owner
            }
        };
        self.made += 1;
        let name = format!("{template}_{}", self.made);
        let copy = format!(
            "CREATE DATABASE \"{name}\" TEMPLATE \"{template}_template\" OWNER \"{template}\""
        );
        execute(&mut admin, copy).await?;
        admin.close().await?;
        Ok(TestDb {
            url: with_database(&owner, &name),
            admin_url: with_database(server, &name),
            name,
        })
    }
}

/// Answers the URL of the role that owns it.
async fn make_template(
    admin: &mut PgConnection,
    server: &str,
    template: &str,
    migrator: &Migrator,
) -> Result<String, sqlx::Error> {
    let password = random_text(16);
    let name = format!("{template}_template");
    for statement in [
        // A test that was cut off here may have left its half.
        format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"),
        format!("DROP ROLE IF EXISTS \"{template}\""),
        format!("CREATE ROLE \"{template}\" LOGIN PASSWORD '{password}'"),
        format!("CREATE DATABASE \"{name}\" OWNER \"{template}\""),
    ] {
        execute(admin, statement).await?;
    }
    let mut owner = Url::parse(server).expect("the cluster's URL");
    owner.set_username(template).expect("a URL with a host");
    owner
        .set_password(Some(&password))
        .expect("a URL with a host");
    let mut connection = PgConnection::connect(&with_database(owner.as_str(), &name)).await?;
    migrator.run_direct(None, &mut connection, false).await?;
    connection.close().await?;
    Ok(owner.into())
}

/// Names come from test code, passwords are base64url.
async fn execute(admin: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(admin).await?;
    Ok(())
}

fn with_database(server: &str, name: &str) -> String {
    let mut url = Url::parse(server).expect("the cluster's URL");
    url.set_path(name);
    url.into()
}
