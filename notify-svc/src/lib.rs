//! Receives what happened to orders and sends every message a guest gets. It calls nobody: a
//! message carries all that it needs.

mod app;
mod config;
mod error;
mod facts;
mod jobs;
mod kinds;
mod mailer;
mod poison;
pub mod render;
mod rpc;

use std::sync::Arc;

use base::Sources;
use kit::{Bind, ServerBuilder, Tasks};
use proto::{
    Peer,
    notify::{
        accept_service_server::AcceptServiceServer, document_service_server::DocumentServiceServer,
    },
};

pub use config::{Command, Config};

/// The schema of the database `notifications`.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// Accept takes up to 100 messages of an order each.
const ACCEPT_MAX_BYTES: usize = 8 * 1024 * 1024;
const JETSTREAM_CONSUMER: &str = "notify-svc";

/// Builds the service; it starts working at once and serves when told.
pub async fn build(config: &Config, bind: Bind, sources: Sources) -> anyhow::Result<kit::Server> {
    let tasks = Tasks::new();
    let app = Arc::new(app::App::new(config, sources).await?);
    let nats = events::Nats::connect(&config.nats_url, Peer::Notify.name()).await?;
    events::start_consumer(&tasks, nats, JETSTREAM_CONSUMER, app.clone());
    jobs::send_notifications::start(&tasks, app.clone());

    let database = app.db.answers();
    let rpc = rpc::Rpc { app };
    ServerBuilder::new(Peer::Notify, bind, config.mesh_key.clone(), tasks)
        .await?
        .reflection(config.grpc_reflection)
        .ready_check("database", database)
        .add_service(
            AcceptServiceServer::new(rpc.clone()).max_decoding_message_size(ACCEPT_MAX_BYTES),
        )
        .add_service(DocumentServiceServer::new(rpc))
        .build()
        .await
}
