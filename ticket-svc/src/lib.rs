//! Concerts, ticket types, stock, holds and tickets.

mod app;
mod config;
mod demo;
pub mod domain;
mod error;
mod jobs;
mod rpc;
mod store;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use base::Sources;
use db::{Db, DbConfig};
use kit::{Bind, Server, ServerBuilder, Tasks, VerifyToken};
use proto::Peer;

use app::App;
pub use config::{Command, Config};
pub use demo::demo_programme;

pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// How long a start waits for the database and for its migrations.
const MIGRATIONS_PATIENCE: Duration = Duration::from_secs(60);

/// The service, bound and not yet serving. Waits until the migrations are applied.
pub async fn build(config: &Config, bind: Bind, sources: Sources) -> anyhow::Result<Server> {
    let identity = config.mesh_key.identity(Peer::Ticket);
    let keys = auth::RemoteKeys::new(&config.user_svc_url, identity).context("USER_SVC_URL")?;
    let verifier = Arc::new(auth::Verifier::new(Arc::new(keys), sources.clone()));
    build_with_verifier(config, bind, sources, verifier).await
}

/// Like `build`, with another judge of access tokens than user-svc's keys.
pub async fn build_with_verifier(
    config: &Config,
    bind: Bind,
    sources: Sources,
    verifier: Arc<dyn VerifyToken>,
) -> anyhow::Result<Server> {
    let mut db_config = DbConfig::new(config.database_url.expose(), Peer::Ticket.name());
    if let Some(max_connections) = config.database_max_connections {
        db_config.max_connections = max_connections;
    }
    let db = Db::connect_lazy(&db_config).context("DATABASE_URL")?;
    db::wait_for_migrations(&db, &MIGRATOR, MIGRATIONS_PATIENCE).await?;

    let tasks = Tasks::new();
    jobs::expire_holds::start(&tasks, db.clone());
    close_at_the_end(&tasks, db.clone());
    let database = db.answers();
    let app = Arc::new(App::new(config, db, sources));
    let builder = ServerBuilder::new(Peer::Ticket, bind, config.mesh_key.clone(), tasks).await?;
    let builder = builder
        .verify_tokens(verifier)
        .reflection(config.grpc_reflection)
        .ready_check("database", database);
    rpc::register(builder, app).build().await
}

/// Work in the database outlives the call that asked for it; the service ends after it.
fn close_at_the_end(tasks: &Tasks, db: Db) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn(async move {
        shutdown.begun().await;
        db.close().await;
    });
}
