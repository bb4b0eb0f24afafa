//! Orders and money: the orchestrator of a purchase.

mod accounts;
mod app;
mod attempts;
mod attention;
mod cancellation;
mod config;
mod domain;
mod error;
mod jobs;
mod lane;
mod limits;
mod mark;
mod provider;
mod refunds;
mod rpc;
mod saga;
mod store;
mod terms;
mod transfers;
mod view;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use base::Sources;
use db::{Db, DbConfig};
use events::{Nats, OutboxConfig};
use kit::{Bind, Server, ServerBuilder, Tasks, VerifyToken};
use proto::{
    Peer,
    notify::accept_service_client::AcceptServiceClient,
    payment::{
        desk_service_server::DeskServiceServer,
        insight_admin_service_server::InsightAdminServiceServer,
        order_admin_service_server::OrderAdminServiceServer,
        order_service_server::OrderServiceServer,
        provider_event_service_server::ProviderEventServiceServer,
        refund_admin_service_server::RefundAdminServiceServer,
        sandbox_service_server::SandboxServiceServer,
    },
    ticket::{
        change_service_client::ChangeServiceClient, grant_service_client::GrantServiceClient,
        inventory_service_client::InventoryServiceClient,
    },
};
use provider::{Providers, sandbox};

use app::{App, Lanes, Nudges};
pub use config::{Command, Config, ProviderName, PublicUrl, WebhookFaults};
use domain::order_state::OrderStatus;
pub use provider::WebhookSecrets;
use terms::Terms;

pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// How long the start waits for someone to apply the migrations.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(60);
const NAME: &str = "payment-svc";

/// Builds the service: bound and with its jobs at work, not yet serving.
pub async fn build(config: &Config, bind: Bind, sources: Sources) -> anyhow::Result<Server> {
    let member = config.mesh.open(Peer::Payment)?;
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
    let db = Db::connect_lazy(&db_config(config))?;
    db::wait_for_migrations(&db, &MIGRATOR, MIGRATION_PATIENCE).await?;
    let tasks = Tasks::new();
    db.measure(&tasks, NAME);
    let member = config.mesh.open(Peer::Payment)?;
    let nudges = Nudges::default();
    let sandbox = Arc::new(sandbox::Sandbox::new(config, db.clone(), sources.clone()));

    events::start_outbox(OutboxConfig {
        tasks: tasks.clone(),
        db: db.clone(),
        nats: Nats::connect(&config.nats_url, NAME, config.nats_stream_copies).await?,
        accept: AcceptServiceClient::new(
            member
                .channel(&config.notify_svc_url, Peer::Notify)
                .context("NOTIFY_SVC_URL")?,
        ),
        nudge: nudges.outbox.clone(),
        service: NAME,
    });
    sandbox::start(&tasks, &sandbox)?;

    let tickets = member.channel(&config.ticket_svc_url, Peer::Ticket);
    let tickets = tickets.context("TICKET_SVC_URL")?;
    let app = Arc::new(App {
        queue: db.queue_session(),
        inventory: InventoryServiceClient::new(tickets.clone()),
        changes: ChangeServiceClient::new(tickets.clone()),
        grants: GrantServiceClient::new(tickets),
        providers: Providers::new(config, &sandbox, &sources),
        seller: config.seller.clone(),
        terms: config.terms_file.as_deref().map(Terms::read).transpose()?,
        keys: config.order_keys.clone(),
        sealer: config.link_seal_key.clone(),
        public_url: config.public_url.clone(),
        reminder_before: Duration::from_secs(u64::from(config.reminder_before_hours) * 3600),
        db,
        sources,
        tasks: tasks.clone(),
        nudges,
        lanes: Lanes::default(),
    });
    app.lanes.open(&app.tasks, &app.db);
    jobs::start(&app);

    let builder = ServerBuilder::new(Peer::Payment, bind, member, tasks).await?;
    builder
        .verify_tokens(verifier)
        .reflection(config.grpc_reflection)
        .ready_check("database", app.db.answers())
        .add_service(audit::service(app.db.clone(), rpc::OwnEvents(app.clone())))
        .add_service(status::service(Some(app.db.clone())))
        .add_service(OrderServiceServer::new(rpc::Orders(app.clone())))
        .add_service(DeskServiceServer::new(rpc::Desk(app.clone())))
        .add_service(OrderAdminServiceServer::new(rpc::OrdersAdmin(app.clone())))
        .add_service(RefundAdminServiceServer::new(rpc::RefundsAdmin(
            app.clone(),
        )))
        .add_service(InsightAdminServiceServer::new(rpc::Insights(app.clone())))
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

/// Every step that the life of an order has, as the words in the database: from and to.
pub fn order_transitions() -> impl Iterator<Item = (&'static str, &'static str)> {
    let steps = OrderStatus::ALL
        .into_iter()
        .flat_map(|from| from.next().iter().map(move |to| (from, *to)));
    steps.map(|(from, to)| (from.word(), to.word()))
}
