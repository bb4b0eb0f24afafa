//! Concerts, ticket types, stock, holds and tickets.

mod announce;
mod app;
mod availability;
mod commit;
mod config;
mod demo;
pub mod domain;
mod error;
mod hold;
mod jobs;
mod rpc;
mod signers;
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
    let member = config.mesh.open(Peer::Ticket)?;
    let users = member.channel(&config.user_svc_url, Peer::User);
    let keys = auth::RemoteKeys::new(users.context("USER_SVC_URL")?);
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
    jobs::fold_traffic::start(&tasks, db.clone());
    start_auditor(&tasks, config)?;
    db.measure(&tasks, Peer::Ticket.name());
    close_at_the_end(&tasks, db.clone());
    let database = db.answers();
    let announce = announce::start(config, &tasks).await?;
    let mut app = App::new(config, db.clone(), sources);
    app.lanes = start_lanes(&tasks, &db, config, &app.sources);
    app.commits = commit::Commits::start(&tasks, &db, &app.sources, &app.signers);
    app.announce = announce;
    app.availability.start(&tasks, db);
    let app = Arc::new(app);
    let builder =
        ServerBuilder::new(Peer::Ticket, bind, config.mesh.open(Peer::Ticket)?, tasks).await?;
    let builder = builder
        .verify_tokens(verifier)
        .reflection(config.grpc_reflection)
        .closing(app.closing.clone())
        .ready_check("database", database);
    rpc::register(builder, app).build().await
}

/// The auditor has a session of its own: it must not starve when guests want all of the others.
fn start_auditor(tasks: &Tasks, config: &Config) -> anyhow::Result<()> {
    let mut db_config = DbConfig::new(config.database_url.expose(), "ticket-svc auditor");
    db_config.max_connections = 1;
    // Above the time limit of a recount.
    db_config.run_deadline = Duration::from_secs(12);
    db_config.read_deadline = Duration::from_secs(4);
    let db = Db::connect_lazy(&db_config).context("DATABASE_URL")?;
    let pause = Duration::from_millis(config.audit_pause_ms.into());
    jobs::audit_pools::start(tasks, db.clone(), pause);
    close_at_the_end(tasks, db);
    Ok(())
}

fn start_lanes(tasks: &Tasks, db: &Db, config: &Config, sources: &Sources) -> hold::Lanes {
    let terms = hold::Terms {
        secret_key_id: config.hold_keys.current_id().to_owned(),
        ttl_secs: config.hold_ttl_secs,
    };
    hold::Lanes::start(tasks, db, &terms, sources)
}

/// Work in the database outlives the call that asked for it; the service ends after it.
fn close_at_the_end(tasks: &Tasks, db: Db) {
    tasks.at_the_end(async move { db.close().await });
}
