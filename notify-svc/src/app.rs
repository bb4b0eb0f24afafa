use std::{sync::Arc, time::Duration};

use base::Sources;
use db::{Db, DbConfig};
use tokio::sync::Notify;

use crate::{Config, MIGRATOR, facts::Facts, mailer::Mailer};

const MIGRATIONS_TIMEOUT: Duration = Duration::from_secs(60);

/// What every operation works with.
pub(crate) struct App {
    pub db: Db,
    pub sources: Sources,
    pub facts: Facts,
    pub mailer: Mailer,
    /// Wakes the sender when a message was accepted.
    pub accepted: Arc<Notify>,
}

impl App {
    pub async fn new(config: &Config, sources: Sources) -> anyhow::Result<Self> {
        let db = Db::connect_lazy(&DbConfig {
            max_connections: config.database_max_connections,
            ..DbConfig::new(config.database_url.expose(), "notify-svc")
        })?;
        db::wait_for_migrations(&db, &MIGRATOR, MIGRATIONS_TIMEOUT).await?;
        Ok(Self {
            db,
            sources,
            facts: Facts::new(config),
            mailer: Mailer::new(config)?,
            accepted: Arc::default(),
        })
    }
}
