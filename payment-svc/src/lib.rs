//! Orders and money: the orchestrator of a purchase.

mod app;
mod config;
mod domain;
mod error;
mod jobs;
mod provider;
mod rpc;
mod saga;
mod store;
mod view;

use std::{sync::Arc, time::Duration};

use base::Sources;
use db::{Db, DbConfig};
use events::{Nats, OutboxConfig};
use kit::{Bind, Server, ServerBuilder, Tasks, client};
use proto::{
    Peer,
    notify::accept_service_client::AcceptServiceClient,
    payment::{
        order_service_server::OrderServiceServer,
        provider_event_service_server::ProviderEventServiceServer,
        sandbox_service_server::SandboxServiceServer,
    },
    ticket::inventory_service_client::InventoryServiceClient,
};
use provider::{Providers, sandbox};

use app::{App, Nudges};
pub use config::{Command, Config, ProviderName, PublicUrl};
pub use provider::sandbox::WebhookSecrets;

pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// How long the start waits for someone to apply the migrations.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(60);
const NAME: &str = "payment-svc";

/// Builds the service: bound and with its jobs at work, not yet serving.
pub async fn build(config: &Config, bind: Bind, sources: Sources) -> anyhow::Result<Server> {
    let db = Db::connect_lazy(&db_config(config))?;
    db::wait_for_migrations(&db, &MIGRATOR, MIGRATION_PATIENCE).await?;
    let tasks = Tasks::new();
    let identity = config.mesh_key.identity(Peer::Payment);
    let nudges = Nudges::default();
    let sandbox = Arc::new(sandbox::Sandbox::new(config, db.clone(), sources.clone()));

    events::start_outbox(OutboxConfig {
        tasks: tasks.clone(),
        db: db.clone(),
        nats: Nats::connect(&config.nats_url, NAME).await?,
        accept: AcceptServiceClient::new(client::channel(
            &config.notify_svc_url,
            identity.clone(),
        )?),
        nudge: nudges.outbox.clone(),
        service: NAME,
    });
    sandbox::deliver::start(&tasks, sandbox.clone())?;

    let app = Arc::new(App {
        inventory: InventoryServiceClient::new(client::channel(&config.ticket_svc_url, identity)?),
        providers: Providers::new(config, &sandbox),
        keys: config.order_keys.clone(),
        sealer: config.link_seal_key.clone(),
        public_url: config.public_url.clone(),
        db,
        sources,
        tasks: tasks.clone(),
        nudges,
    });
    jobs::start(&app);

    let database = app.db.answers();
    let builder = ServerBuilder::new(Peer::Payment, bind, config.mesh_key.clone(), tasks).await?;
    builder
        .reflection(config.grpc_reflection)
        .ready_check("database", database)
        .add_service(OrderServiceServer::new(rpc::Orders(app.clone())))
        .add_service(SandboxServiceServer::new(rpc::SandboxPage(sandbox)))
        .add_service(ProviderEventServiceServer::new(rpc::ProviderEvents(app)))
        .build()
        .await
}

fn db_config(config: &Config) -> DbConfig {
    let mut db = DbConfig::new(config.database_url.expose(), NAME);
    if let Some(sessions) = config.database_max_connections {
        db.max_connections = sessions;
    }
    db
}
