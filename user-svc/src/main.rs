use base::Sources;
use kit::{Bind, Shutdown, config::parse_or_exit};
use user_svc::{Command, Config, MIGRATOR, build};

/// Half of what a request allocates is gone before the next one comes; glibc's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = parse_or_exit();
    let _telemetry = kit::telemetry::init("user-svc", &config.telemetry);
    kit::telemetry::log_panics();
    if let Some(Command::Migrate) = config.command {
        return Ok(db::migrate(config.database_url.expose(), &MIGRATOR).await?);
    }
    let shutdown = Shutdown::on_signals()?;
    let server = build(&config, Bind::Addr(config.grpc_addr), Sources::system()).await?;
    server.serve(shutdown).await
}
