use kit::{Shutdown, config::parse_or_exit};
use notify_svc::{Command, Config, MIGRATOR, build};

/// Half of what a request allocates is gone before the next one comes; glibc's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = parse_or_exit();
    let _telemetry = kit::telemetry::init("notify-svc", &config.telemetry);
    kit::telemetry::log_panics();
    if let Some(Command::Migrate) = config.command {
        return Ok(db::migrate(config.database_url.expose(), &MIGRATOR).await?);
    }
    let server = build(&config, config.grpc_addr.into(), base::Sources::system()).await?;
    server.serve(Shutdown::on_signals()?).await
}
