use crate::Infra;
use crate::keys::random_text;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use std::collections::BTreeMap;
use tokio::sync::{Mutex, MutexGuard};
use url::Url;

/// A database of one test, made from a migrated template.
#[derive(Debug, Clone)]
pub struct TestDb {
    /// URL with the role that owns the database, as a service would get it.
    pub url: String,
    pub name: String,
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
        with_database(&Infra::postgres_url(), &self.name)
    }
}

/// A fresh, migrated database for one test. `template` names the schema (`tickets`; lower-case letters and `_`):
/// it is migrated once per test binary, then copied. Calls with the same name must pass the same migrator.
pub async fn database(template: &str, migrator: &Migrator) -> TestDb {
    make(template, migrator)
        .await
        .unwrap_or_else(|error| panic!("making a test database from `{template}`: {error}"))
}

async fn make(template: &str, migrator: &Migrator) -> Result<TestDb, sqlx::Error> {
    let mut factory = factory().await?;
    let owner = match factory.templates.get(template) {
        Some(owner) => owner.clone(),
        None => factory.make_template(template, migrator).await?,
    };
    factory.made += 1;
    let name = format!("{template}_{}", factory.made);
    factory.copy(template, &name).await?;
    Ok(TestDb {
        url: with_database(&owner, &name),
        name,
    })
}

/// Makes databases one after the other: a template must have no other user while it is copied.
struct Factory {
    admin: PgConnection,
    /// Migrated templates, and the URL of the role that owns each.
    templates: BTreeMap<String, String>,
    made: u32,
}

async fn factory() -> Result<MutexGuard<'static, Factory>, sqlx::Error> {
    static FACTORY: tokio::sync::OnceCell<Mutex<Factory>> = tokio::sync::OnceCell::const_new();
    let infra = Infra::get();
    let factory = FACTORY.get_or_try_init(async || {
        let url = Infra::postgres_url();
        // Shared by tests, so it must not live in the runtime of one of them.
        let connect = infra
            .runtime()
            .spawn(async move { PgConnection::connect(&url).await });
        let admin = connect.await.expect("the connecting task panicked")?;
        Ok::<_, sqlx::Error>(Mutex::new(Factory {
            admin,
            templates: BTreeMap::new(),
            made: 0,
        }))
    });
    Ok(factory.await?.lock().await)
}

impl Factory {
    async fn make_template(
        &mut self,
        template: &str,
        migrator: &Migrator,
    ) -> Result<String, sqlx::Error> {
        let password = random_text(16);
        let name = format!("{template}_template");
        // A test that was cut off here may have left its half.
        self.execute(format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"))
            .await?;
        self.execute(format!("DROP ROLE IF EXISTS \"{template}\""))
            .await?;
        self.execute(format!(
            "CREATE ROLE \"{template}\" LOGIN PASSWORD '{password}'"
        ))
        .await?;
        self.execute(format!("CREATE DATABASE \"{name}\" OWNER \"{template}\""))
            .await?;

        let mut owner = Url::parse(&Infra::postgres_url()).expect("the cluster's URL");
        owner.set_username(template).expect("a URL with a host");
        owner
            .set_password(Some(&password))
            .expect("a URL with a host");
        let mut connection = PgConnection::connect(&with_database(owner.as_str(), &name)).await?;
        migrator.run_direct(None, &mut connection, false).await?;
        connection.close().await?;
        self.templates
            .insert(template.to_owned(), owner.to_string());
        Ok(owner.into())
    }

    async fn copy(&mut self, template: &str, name: &str) -> Result<(), sqlx::Error> {
        let copy = format!(
            "CREATE DATABASE \"{name}\" TEMPLATE \"{template}_template\" OWNER \"{template}\""
        );
        self.execute(copy).await
    }

    /// Names come from test code, passwords are base64url.
    async fn execute(&mut self, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.admin)
            .await?;
        Ok(())
    }
}

fn with_database(server: &str, name: &str) -> String {
    let mut url = Url::parse(server).expect("the cluster's URL");
    url.set_path(name);
    url.into()
}
