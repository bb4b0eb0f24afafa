use std::process::ExitCode;

use base::Sources;
use boxoffice::{Command, Config, backup, certs, doctor::doctor, export, reset, restore, run};
use kit::{Shutdown, config::parse_or_exit};

/// Half of what a request allocates is gone before the next one comes; glibc's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let config: Config = parse_or_exit();
    kit::init_logs();
    kit::telemetry::log_panics();
    match &config.command {
        None | Some(Command::Run) => run(&config, Shutdown::on_signals()?).await?,
        Some(Command::Completions { shell }) => boxoffice::completions(*shell)?,
        Some(Command::Reset { yes }) => reset(&config, *yes)?,
        Some(Command::Certs(arguments)) => certs(arguments, &Sources::system())?,
        Some(Command::Backup(arguments)) => backup(&config, arguments, &Sources::system()).await?,
        Some(Command::Restore(arguments)) => restore(&config, arguments).await?,
        Some(Command::Export(arguments)) => export(&config, arguments).await?,
        Some(Command::Doctor(arguments)) => return Ok(doctor(&config, arguments).await),
    }
    Ok(ExitCode::SUCCESS)
}
