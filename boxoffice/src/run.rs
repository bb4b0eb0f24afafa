//! From nothing to an open box office, and back to nothing running.

use anyhow::Context as _;
use base::{Secret, Sources};
use embedded::{DatabaseSpec, Stack, StackConfig};
use kit::{Shutdown, telemetry::Telemetry};

use crate::{
    Config, Databases, Facts, Keys, Mesh, MeshConfig,
    flags::{HANDED_OVER, check_settings_or_exit, images_store},
    make_log_files,
};

pub(crate) const DATABASES: [&str; 4] = ["users", "tickets", "payments", "notifications"];
/// Made by the first start.
pub(crate) const DEMO_OFFERED: &str = "demo-programme-offered";

/// Starts everything, says so, and waits. Stops in order: services, NATS, PostgreSQL.
pub async fn run(config: &Config, shutdown: Shutdown) -> anyhow::Result<()> {
    check_settings_or_exit(config)?;
    let telemetry = start_telemetry(config);
    let stack = tokio::select! {
        stack = Stack::start(stack_config(config)) => stack?,
        // An interrupted start has nothing to drain.
        () = shutdown.begun() => return Ok(()),
    };
    if config.database_url.is_none() {
        tokio::select! {
            made = make_log_files(stack.admin_url(), stack.data_dir()) => if let Err(error) = made {
                // Without them a sale is slower, and nothing else.
                tracing::warn!("PostgreSQL makes the files of its log when it needs them: {error:#}");
            },
            () = shutdown.begun() => {
                stack.stop().await;
                return Ok(());
            }
        }
    }
    let outcome = Box::pin(serve(config, &stack, &shutdown, &telemetry)).await;
    stack.stop().await;
    outcome
}

/// Metrics are always there, for this machine only unless told otherwise.
fn start_telemetry(config: &Config) -> Telemetry {
    let mut settings = config.telemetry.clone();
    settings
        .metrics_addr
        .get_or_insert(([127, 0, 0, 1], 0).into());
    kit::telemetry::init("boxoffice", &settings)
}

fn stack_config(config: &Config) -> StackConfig {
    let specs = DATABASES.map(|name| DatabaseSpec::new(name, name));
    let mut stack = StackConfig::new(&config.data_dir, specs.to_vec());
    stack.postgres = config
        .database_url
        .as_ref()
        .map(|url| url.expose().to_owned());
    stack.nats = config.nats_url.as_ref().map(|url| url.expose().to_owned());
    stack
}

async fn serve(
    config: &Config,
    stack: &Stack,
    shutdown: &Shutdown,
    telemetry: &Telemetry,
) -> anyhow::Result<()> {
    let secrets = stack.secrets()?;
    let keys = Keys::open(&secrets)?;
    let databases = databases(stack)?;
    Mesh::migrate(&databases).await?;

    let mail_dir = config
        .smtp_url
        .is_none()
        .then(|| stack.data_dir().join("mails"));
    let setup_token = keys.setup_token.clone();
    let mut mesh = Mesh::start(MeshConfig {
        http_addr: config.http_addr,
        public_url: config.public_url.clone(),
        databases: databases.clone(),
        nats_url: Secret::new(stack.nats_url()),
        smtp_url: config.smtp_url.clone(),
        mail_dir: mail_dir.clone(),
        handed_over_dir: stack.data_dir().join(HANDED_OVER),
        images_store: Some(images_store(config, stack.data_dir())),
        keys,
        certs_dir: config.mesh_certs_dir.clone(),
        sources: Sources::system(),
        settings: Vec::new(),
    })
    .await?;
    offer_demo_programme_once(config, stack, &mesh).await?;

    let setup_open = user_svc::setup_is_open(databases.users.expose()).await?;
    let facts = Facts {
        http: mesh.public_url(),
        grpc: mesh.grpc_addrs(),
        metrics: telemetry
            .metrics_addr()
            .map(|addr| format!("http://{addr}/metrics")),
        setup_token: setup_open.then(|| setup_token.expose().to_owned()),
        mail_dir: mail_dir.map(|folder| folder.display().to_string()),
        database_url: stack.admin_url().to_owned(),
        nats_url: stack.nats_url().to_owned(),
        pid: std::process::id(),
    };
    facts.write(stack.data_dir())?;
    facts.print(stack.data_dir(), config.mesh_certs_dir.as_deref());

    let failed = tokio::select! {
        () = shutdown.begun() => None,
        name = mesh.failed() => Some(name),
    };
    println!("Stopping …");
    let stopped = mesh.stop().await;
    match failed {
        Some(name) => stopped.with_context(|| format!("{name} ended by itself")),
        None => stopped,
    }
}

/// On the first start only. A crash in between repeats it, and it makes nothing twice.
async fn offer_demo_programme_once(
    config: &Config,
    stack: &Stack,
    mesh: &Mesh,
) -> anyhow::Result<()> {
    let offered = stack.data_dir().join(DEMO_OFFERED);
    if offered.exists() {
        return Ok(());
    }
    if config.demo_programme {
        mesh.offer_demo_programme().await?;
    }
    std::fs::write(offered, "")?;
    Ok(())
}

fn databases(stack: &Stack) -> anyhow::Result<Databases> {
    let url = |name: &str| {
        let url = stack
            .database_url(name)
            .with_context(|| format!("no database `{name}`"))?;
        anyhow::Ok(Secret::new(url))
    };
    Ok(Databases {
        users: url("users")?,
        tickets: url("tickets")?,
        payments: url("payments")?,
        notifications: url("notifications")?,
    })
}
