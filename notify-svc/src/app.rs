use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use base::Sources;
use db::{Db, DbConfig};
use gentle::Gentle;
use kit::{Member, client::MeshChannel};
use proto::{Peer, ticket::grant_service_client::GrantServiceClient};
use tokio::sync::Notify;

use crate::{Config, MIGRATOR, facts::Facts, mailer::Mailer, templates::Templates};

const MIGRATIONS_TIMEOUT: Duration = Duration::from_secs(60);

/// What every operation works with.
pub(crate) struct App {
    pub db: Db,
    /// For taking what is due.
    pub queue: Db,
    pub sources: Sources,
    pub facts: Facts,
    pub mailer: Mailer,
    pub templates: Templates,
    /// Where mails are drawn: a sale goes before them.
    pub drawers: Gentle,
    pub grants: GrantServiceClient<MeshChannel>,
    /// Wakes the sender when a message was accepted, or is due again.
    pub accepted: Arc<Notify>,
}

impl App {
    pub async fn new(config: &Config, member: &Member, sources: Sources) -> anyhow::Result<Self> {
        let db = Db::connect_lazy(&DbConfig {
            max_connections: config.database_max_connections,
            ..DbConfig::new(config.database_url.expose(), "notify-svc")
        })?;
        db::wait_for_migrations(&db, &MIGRATOR, MIGRATIONS_TIMEOUT).await?;
        let tickets = member.channel(&config.ticket_svc_url, Peer::Ticket);
        let tickets = tickets.context("TICKET_SVC_URL")?;
        Ok(Self {
            queue: db.queue_session(),
            db,
            sources,
            facts: Facts::new(config),
            mailer: Mailer::new(config)?,
            templates: Templates::default(),
            drawers: Gentle::start("drawer", drawers()),
            grants: GrantServiceClient::new(tickets),
            accepted: Arc::default(),
        })
    }
}

fn drawers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
