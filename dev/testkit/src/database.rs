use sqlx::migrate::Migrator;
use sqlx::{PgConnection, PgPool};

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
        unimplemented!()
    }

    /// One connection for a test's own statements.
    pub async fn connect(&self) -> PgConnection {
        unimplemented!()
    }

    /// URL of this database as the cluster's superuser, for faults that the owner may not cause.
    pub fn admin_url(&self) -> String {
        unimplemented!()
    }
}

/// A fresh, migrated database for one test. `template` names the schema (`tickets`): it is migrated once per test
/// binary, then copied. Calls with the same name must pass the same migrator.
pub async fn database(template: &str, migrator: &Migrator) -> TestDb {
    let _ = (template, migrator);
    unimplemented!()
}
