//! The REST edge and the shop as a process of their own.

use anyhow::Context as _;
use base::Sources;
use gateway::Config;
use kit::{Bind, Shutdown};

/// Half of what a request allocates is gone before the next one comes; glibc's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = kit::config::parse_or_exit();
    let _telemetry = kit::telemetry::init("gateway", &config.telemetry);
    kit::telemetry::log_panics();
    let bind = Bind::from(config.http_addr);
    let server = gateway::build(&config, bind, Sources::system())
        .await
        .context("gateway")?;
    server.serve(Shutdown::on_signals()?).await
}
