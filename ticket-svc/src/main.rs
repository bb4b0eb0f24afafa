use anyhow::Context as _;
use ticket_svc::{Command, Config, MIGRATOR, build};

/// Half of what a request allocates is gone before the next one comes; glibc's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = kit::config::parse_or_exit();
    let _telemetry = kit::telemetry::init("ticket-svc", &config.telemetry);
    kit::telemetry::log_panics();
    if config.command == Some(Command::Migrate) {
        return db::migrate(config.database_url.expose(), &MIGRATOR)
            .await
            .context("migrating");
    }
    let shutdown = kit::Shutdown::on_signals()?;
    let server = build(&config, config.grpc_addr.into(), base::Sources::system()).await?;
    server.serve(shutdown).await
}
