//! Receives what happened to orders and sends every message a guest gets. A message carries all that
//! it needs, so sending calls nobody.

mod app;
mod bounce;
mod config;
mod error;
mod facts;
mod jobs;
mod kinds;
mod mailer;
mod poison;
pub mod render;
mod rpc;
mod store;
mod templates;

use std::sync::Arc;

use anyhow::Context as _;
use base::Sources;
use kit::{Bind, ServerBuilder, Tasks, VerifyToken};
use proto::{
    Peer,
    notify::{
        accept_service_server::AcceptServiceServer, delivery_service_server::DeliveryServiceServer,
        document_service_server::DocumentServiceServer,
        notification_admin_service_server::NotificationAdminServiceServer,
        template_admin_service_server::TemplateAdminServiceServer,
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
    let member = config.mesh.open(Peer::Notify)?;
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
) -> anyhow::Result<kit::Server> {
    let tasks = Tasks::new();
    let member = config.mesh.open(Peer::Notify)?;
    let app = Arc::new(app::App::new(config, &member, sources).await?);
    app.db.measure(&tasks, Peer::Notify.name());
    let nats = events::Nats::connect(
        &config.nats_url,
        Peer::Notify.name(),
        config.nats_stream_copies,
    )
    .await?;
    events::start_consumer(&tasks, nats, JETSTREAM_CONSUMER, app.clone());
    jobs::start(&tasks, &app, config)?;

    let database = app.db.answers();
    let record = audit::service(app.db.clone(), rpc::OwnEvents(app.clone()));
    let rpc = rpc::Rpc { app };
    ServerBuilder::new(Peer::Notify, bind, member, tasks)
        .await?
        .verify_tokens(verifier)
        .reflection(config.grpc_reflection)
        .ready_check("database", database)
        .add_service(
            AcceptServiceServer::new(rpc.clone()).max_decoding_message_size(ACCEPT_MAX_BYTES),
        )
        .add_service(DocumentServiceServer::new(rpc.clone()))
        .add_service(DeliveryServiceServer::new(rpc.clone()))
        .add_service(NotificationAdminServiceServer::new(rpc.clone()))
        .add_service(TemplateAdminServiceServer::new(rpc))
        .add_service(record)
        .add_service(status::service(None))
        .build()
        .await
}
