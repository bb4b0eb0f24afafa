use anyhow::Context as _;
use base::Sources;
use kit::{Bind, Shutdown, config};
use payment_svc::{Command, Config, MIGRATOR, build};

/// Half of what a request allocates is gone before the next one comes; glibc's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() {
    let settings: Config = config::parse_or_exit();
    let telemetry = kit::telemetry::init("payment-svc", &settings.telemetry);
    kit::telemetry::log_panics();
    if let Err(error) = Box::pin(run(settings)).await {
        tracing::error!(error = format!("{error:#}"), "payment-svc failed");
        // What the exit would cut off.
        drop(telemetry);
        std::process::exit(config::EXIT_FAILURE);
    }
}

async fn run(settings: Config) -> anyhow::Result<()> {
    if let Some(Command::Migrate) = settings.command {
        return db::migrate(settings.database_url.expose(), &MIGRATOR)
            .await
            .context("migrating");
    }
    let shutdown = Shutdown::on_signals()?;
    let server = build(&settings, Bind::Addr(settings.grpc_addr), Sources::system()).await?;
    server.serve(shutdown).await
}
