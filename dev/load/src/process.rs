//! Programs in processes of their own, which end with the bench however it ends.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

const STOP_LIMIT: Duration = Duration::from_secs(40);

/// What somebody's shell may have set for a box office that is not the bench's.
const FOREIGN_SETTINGS: [&str; 10] = [
    "DATABASE_URL",
    "NATS_URL",
    "SMTP_URL",
    "PUBLIC_URL",
    "USERS_DATABASE_URL",
    "TICKETS_DATABASE_URL",
    "PAYMENTS_DATABASE_URL",
    "NOTIFICATIONS_DATABASE_URL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "LD_PRELOAD",
];

/// Runs a program so that it is told to end when we do, however that happens. The program replaces it.
const KEEPER: &str = "/usr/bin/setpriv";

/// A command line without the settings of strangers.
pub fn command(program: &Path) -> Command {
    let mut command = if Path::new(KEEPER).exists() {
        let mut keeper = Command::new(KEEPER);
        keeper.args(["--pdeathsig", "TERM", "--"]).arg(program);
        keeper
    } else {
        Command::new(program)
    };
    for name in FOREIGN_SETTINGS {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "warn");
    command
}

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: u32,
    pub started: Instant,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says goes to a file.
    pub fn start(mut command: Command, log: PathBuf) -> anyhow::Result<Self> {
        let file = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("starting {:?}", command.as_std().get_program()))?;
        let pid = child.id().context("it has ended already")?;
        Ok(Self {
            child,
            pid,
            started,
            log,
        })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The address in the line `listening on …` of what it said.
    pub async fn listening(&mut self) -> anyhow::Result<SocketAddr> {
        self.until("it listens", |said| {
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix("listening on "));
            line.and_then(|addr| addr.trim().parse().ok())
        })
        .await
    }

    /// Waits until something can be read out of what it said.
    pub async fn until<T>(
        &mut self,
        what: &str,
        find: impl Fn(&str) -> Option<T>,
    ) -> anyhow::Result<T> {
        let limit = Instant::now() + Duration::from_secs(180);
        loop {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            if let Some(found) = find(&said) {
                return Ok(found);
            }
            self.check()?;
            if Instant::now() > limit {
                bail!("waited in vain until {what}; see {}", self.log.display());
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Fails with its last words if it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let last = lines[lines.len().saturating_sub(8)..].join("\n");
            bail!("it ended ({status}); see {}\n{last}", self.log.display());
        }
        Ok(())
    }

    /// Asks it to end, and waits.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        signal("TERM", self.pid).await?;
        if timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }

    /// kill -9.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// By the shell's own `kill`: small systems lack the program.
async fn signal(name: &str, pid: u32) -> anyhow::Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"kill -s "$0" "$1""#, name]);
    shell.arg(pid.to_string()).stderr(Stdio::null());
    shell.status().await?;
    Ok(())
}
