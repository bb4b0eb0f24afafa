//! Admins only: accounts, roles, sessions, and the keys that sign access tokens.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use auth::Verifier;
use base::Sources;
use db::{Db, DbConfig};
use events::{Nats, OutboxConfig};
use kit::{Bind, Server, ServerBuilder, Shutdown, Tasks};
use proto::{
    Peer,
    notify::accept_service_client::AcceptServiceClient,
    user::{
        account_admin_service_server::AccountAdminServiceServer,
        account_check_service_server::AccountCheckServiceServer,
        api_key_service_server::ApiKeyServiceServer, key_service_server::KeyServiceServer,
        registration_service_server::RegistrationServiceServer,
        second_factor_service_server::SecondFactorServiceServer,
        session_service_server::SessionServiceServer, setup_service_server::SetupServiceServer,
    },
};
use tokio::sync::Notify;

mod accounts;
mod api_keys;
mod app;
mod attempts;
mod board;
mod config;
mod domain;
mod error;
mod forget;
mod invitations;
mod limits;
mod links;
mod passwords;
mod rpc;
mod second_factor;
mod sessions;
mod signing;
mod store;
mod tokens;

pub use config::{Command, Config, PublicUrl};
pub use domain::Password;
pub use passwords::{Overloaded, Passwords, StoredPassword};

pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

const MIGRATION_PATIENCE: Duration = Duration::from_secs(60);
const REQUEST_MAX_BYTES: usize = 16 * 1024;
const NAME: &str = "user-svc";

/// Builds the service: waits for its migrations, makes the signing key on the first start, binds.
///
/// # Errors
/// Without a migrated database, with a seal key that does not open the signing key, or when the
/// address is taken.
pub async fn build(config: &Config, bind: Bind, sources: Sources) -> anyhow::Result<Server> {
    let db = Db::connect_lazy(&config.db())?;
    db::wait_for_migrations(&db, &MIGRATOR, MIGRATION_PATIENCE).await?;
    let signer = signing::load_or_create(&db, &config.signing_seal_key, &sources).await?;
    let (signer, tasks) = (Arc::new(signer), Tasks::new());
    signer.follow(&tasks);
    db.measure(&tasks, NAME);
    close_at_the_end(&tasks, db.clone());
    let member = config.mesh.open(Peer::User)?;
    let notify = member.channel(&config.notify_svc_url, Peer::Notify);
    let mails = Arc::new(Notify::new());
    events::start_outbox(OutboxConfig {
        tasks: tasks.clone(),
        db: db.clone(),
        nats: Nats::connect(&config.nats_url, NAME, config.nats_stream_copies).await?,
        accept: AcceptServiceClient::new(notify.context("NOTIFY_SVC_URL")?),
        nudge: mails.clone(),
        service: NAME,
    });
    let board = board::Board::start(&tasks, db.clone(), sources.clone());
    let closing = Shutdown::new();
    let verifier = Arc::new(Verifier::new(board.clone(), sources.clone()));
    let builder = ServerBuilder::new(Peer::User, bind, member, tasks.clone())
        .await?
        .closing(closing.clone())
        .verify_tokens(verifier)
        .reflection(config.grpc_reflection)
        .ready_check("database", db.answers());
    let app = Arc::new(app::App {
        db,
        passwords: Passwords::new(config.password_pepper.clone(), config.bcrypt_cost),
        signer,
        setup_token: config.setup_token.clone(),
        sealer: config.signing_seal_key.clone(),
        pepper: config.password_pepper.clone(),
        links: links::Links {
            public_url: config.public_url.clone(),
            sealer: config.link_seal_key.clone(),
        },
        mails,
        board,
        tasks: tasks.clone(),
        closing,
        sources,
    });
    forget::start(&tasks, &app);
    serve(builder, app).build().await
}

fn serve(builder: ServerBuilder, app: Arc<app::App>) -> ServerBuilder {
    let record = audit::service(app.db.clone(), rpc::OwnDeeds);
    let status = status::service(Some(app.db.clone()));
    let rpc = rpc::Rpc::new(app);
    let most = REQUEST_MAX_BYTES;
    builder
        .add_service(SetupServiceServer::new(rpc.clone()).max_decoding_message_size(most))
        .add_service(SessionServiceServer::new(rpc.clone()).max_decoding_message_size(most))
        .add_service(RegistrationServiceServer::new(rpc.clone()).max_decoding_message_size(most))
        .add_service(SecondFactorServiceServer::new(rpc.clone()).max_decoding_message_size(most))
        .add_service(ApiKeyServiceServer::new(rpc.clone()).max_decoding_message_size(most))
        .add_service(AccountAdminServiceServer::new(rpc.clone()).max_decoding_message_size(most))
        .add_service(record)
        .add_service(status)
        .add_service(AccountCheckServiceServer::new(rpc.clone()).max_decoding_message_size(most))
        .add_service(KeyServiceServer::new(rpc).max_decoding_message_size(most))
}

/// Whether the first account is still to be made, so that a start knows to print the setup token.
///
/// # Errors
/// When the database cannot be reached or has not been migrated.
pub async fn setup_is_open(database_url: &str) -> anyhow::Result<bool> {
    let mut config = DbConfig::new(database_url, NAME);
    config.max_connections = 1;
    let db = Db::connect(&config).await?;
    let has_users = store::has_users(&db).await;
    db.close().await;
    Ok(!has_users?)
}

fn close_at_the_end(tasks: &Tasks, db: Db) {
    tasks.at_the_end(async move { db.close().await });
}
