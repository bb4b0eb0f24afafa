//! What the figures were measured on.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Instant,
};

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tokio::process::Command;

use crate::{
    autogroup, sql,
    stats::{Latencies, whole},
};

const FLUSHES: usize = 400;
/// What PostgreSQL writes at least.
const PAGE: [u8; 8192] = [7; 8192];

/// Machine, storage and versions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Environment {
    pub date: String,
    pub commit: String,
    pub cores: usize,
    pub cpu: String,
    pub kernel: String,
    /// Of the last minute, when the workload began: above 0.5 somebody else was at work.
    pub load_average: String,
    /// Between `threads`, or between `sessions` (`autogroup`).
    #[serde(default)]
    pub cores_shared_between: String,
    /// Of the storage itself, without the harness's delay.
    pub fdatasync_p50_us: u32,
    pub fdatasync_p99_us: u32,
    /// A smallest transaction, with the delay where there is one.
    pub commit_p50_us: u32,
    pub postgres: String,
    pub fsync: String,
    pub synchronous_commit: String,
    pub build: String,
}

impl Environment {
    /// `folder` lies on the storage of the database.
    pub async fn look(
        date: String,
        folder: &Path,
        database: &mut PgConnection,
    ) -> anyhow::Result<Self> {
        let mut flushes = flushes(folder)?;
        let mut commits = commits(database).await?;
        Ok(Self {
            date,
            commit: commit().await,
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            cpu: line_of("/proc/cpuinfo", "model name"),
            kernel: first_line("/proc/sys/kernel/osrelease"),
            load_average: first_line("/proc/loadavg"),
            cores_shared_between: autogroup::shared_by().to_owned(),
            fdatasync_p50_us: micros(flushes.p50_ms()),
            fdatasync_p99_us: micros(flushes.p99_ms()),
            commit_p50_us: micros(commits.p50_ms()),
            postgres: sql::text(database, "SELECT current_setting('server_version')").await?,
            fsync: sql::text(database, "SELECT current_setting('fsync')").await?,
            synchronous_commit: sql::text(database, "SELECT current_setting('synchronous_commit')")
                .await?,
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
        })
    }
}

fn micros(ms: f64) -> u32 {
    u32::try_from(whole(ms * 1000.0)).unwrap_or(u32::MAX)
}

fn flushes(folder: &Path) -> anyhow::Result<Latencies> {
    let path = folder.join("flush-probe");
    let mut file = File::create(&path)?;
    let mut took = Latencies::default();
    for _ in 0..FLUSHES {
        file.write_all(&PAGE)?;
        let begin = Instant::now();
        file.sync_data()?;
        took.record(begin.elapsed());
    }
    fs::remove_file(path)?;
    Ok(took)
}

async fn commits(database: &mut PgConnection) -> anyhow::Result<Latencies> {
    sql::execute(
        database,
        "CREATE TABLE IF NOT EXISTS bench_commits (at timestamptz NOT NULL)",
    )
    .await?;
    let mut took = Latencies::default();
    for _ in 0..FLUSHES / 2 {
        let begin = Instant::now();
        sqlx::query("INSERT INTO bench_commits (at) VALUES (clock_timestamp())")
            .execute(&mut *database)
            .await?;
        took.record(begin.elapsed());
    }
    sql::execute(database, "DROP TABLE bench_commits").await?;
    Ok(took)
}

/// With a mark where files differ from it.
async fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12"]);
    match git.output().await {
        Ok(done) if done.status.success() => String::from_utf8_lossy(&done.stdout).trim().into(),
        _ => "unknown".to_owned(),
    }
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn line_of(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':'));
    value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}
