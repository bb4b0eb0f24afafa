//! `boxoffice doctor`.

use std::{
    io::{Write as _, stdout},
    process::ExitCode,
    time::Duration,
};

use base::Secret;

use super::{Options, Report, examine, locate::locate};
use crate::Config;

const FOUND_SOMETHING: u8 = 1;
const COULD_NOT_CHECK: u8 = 2;

/// Where to look, and how long to wait.
///
/// Without URLs the data folder says where the databases are. A private PostgreSQL that is not
/// running is started for the check and stopped after it.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The users database. All four URLs go together.
    #[arg(long, env, hide_env_values = true)]
    pub users_database_url: Option<Secret>,

    /// The tickets database.
    #[arg(long, env, hide_env_values = true)]
    pub tickets_database_url: Option<Secret>,

    /// The payments database.
    #[arg(long, env, hide_env_values = true)]
    pub payments_database_url: Option<Secret>,

    /// The notifications database.
    #[arg(long, env, hide_env_values = true)]
    pub notifications_database_url: Option<Secret>,

    /// What is younger may be work under way, and is no finding.
    #[arg(long, default_value_t = 60)]
    pub settle_secs: u32,

    /// How long one question may take a database; 0 is as long as it takes.
    #[arg(long, default_value_t = 120)]
    pub statement_timeout_secs: u32,

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Checks every rule and prints the report. Exit code 0: healthy; 1: a rule is broken; 2: could not
/// check.
pub async fn doctor(config: &Config, arguments: &Arguments) -> ExitCode {
    match check(config, arguments).await {
        Ok(report) if report.is_healthy() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(FOUND_SOMETHING),
        Err(error) => {
            eprintln!("Could not check: {error:#}");
            ExitCode::from(COULD_NOT_CHECK)
        }
    }
}

async fn check(config: &Config, arguments: &Arguments) -> anyhow::Result<Report> {
    let options = Options {
        settle: Duration::from_secs(arguments.settle_secs.into()),
        statement_timeout: Duration::from_secs(arguments.statement_timeout_secs.into()),
    };
    let located = locate(config, arguments).await?;
    let report = examine(&located.databases, options).await;
    if let Some(started) = located.started {
        started.stop().await;
    }
    let report = report?;
    let text = if arguments.json {
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        report.to_string()
    };
    // The exit code tells the rest if nobody reads to the end.
    let _ = stdout().write_all(text.as_bytes());
    Ok(report)
}
