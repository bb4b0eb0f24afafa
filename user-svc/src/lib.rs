//! Admins only: accounts, roles, sessions, and the keys that sign access tokens.

use std::{sync::Arc, time::Duration};

use auth::Verifier;
use base::Sources;
use db::{Db, DbConfig};
use kit::{Bind, Server, ServerBuilder, Tasks};
use proto::{
    Peer,
    user::{
        key_service_server::KeyServiceServer, session_service_server::SessionServiceServer,
        setup_service_server::SetupServiceServer,
    },
};

mod app;
mod config;
mod domain;
mod error;
mod passwords;
mod rpc;
mod signing;
mod store;

pub use config::{Command, Config};
pub use passwords::{Overloaded, Passwords, StoredPassword};

pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

const MIGRATION_PATIENCE: Duration = Duration::from_secs(60);
const REQUEST_MAX_BYTES: usize = 16 * 1024;

/// Builds the service: waits for its migrations, makes the signing key on the first start, binds.
///
/// # Errors
/// Without a migrated database, with a seal key that does not open the signing key, or when the
/// address is taken.
pub async fn build(config: &Config, bind: Bind, sources: Sources) -> anyhow::Result<Server> {
    let db = Db::connect_lazy(&config.db())?;
    db::wait_for_migrations(&db, &MIGRATOR, MIGRATION_PATIENCE).await?;
    let signer = signing::load_or_create(&db, &config.signing_seal_key, &sources).await?;
    let tasks = Tasks::new();
    close_at_the_end(&tasks, db.clone());
    let keys = Arc::new(signing::LocalKeys::new(db.clone()));
    let database = db.answers();
    let app = Arc::new(app::App {
        db,
        passwords: Passwords::new(config.password_pepper.clone(), config.bcrypt_cost),
        signer,
        setup_token: config.setup_token.clone(),
        keys: keys.clone(),
        sources: sources.clone(),
    });
    let rpc = rpc::Rpc::new(app);
    ServerBuilder::new(Peer::User, bind, config.mesh_key.clone(), tasks)
        .await?
        .verify_tokens(Arc::new(Verifier::new(keys, sources)))
        .reflection(config.grpc_reflection)
        .ready_check("database", database)
        .add_service(
            SetupServiceServer::new(rpc.clone()).max_decoding_message_size(REQUEST_MAX_BYTES),
        )
        .add_service(
            SessionServiceServer::new(rpc.clone()).max_decoding_message_size(REQUEST_MAX_BYTES),
        )
        .add_service(KeyServiceServer::new(rpc).max_decoding_message_size(REQUEST_MAX_BYTES))
        .build()
        .await
}

/// Whether the first account is still to be made, so that a start knows to print the setup token.
///
/// # Errors
/// When the database cannot be reached or has not been migrated.
pub async fn setup_is_open(database_url: &str) -> anyhow::Result<bool> {
    let mut config = DbConfig::new(database_url, "user-svc");
    config.max_connections = 1;
    let db = Db::connect(&config).await?;
    let has_users = store::has_users(&db).await;
    db.close().await;
    Ok(!has_users?)
}

fn close_at_the_end(tasks: &Tasks, db: Db) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn(async move {
        shutdown.begun().await;
        db.close().await;
    });
}
