//! A box office to load: the all-in-one in a process of its own, on a PostgreSQL that flushes and a NATS of its own.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use embedded::Secrets;
use serde::Deserialize;
use sqlx::PgConnection;

use crate::{
    admin::Admin,
    cpu::Meter,
    process::{Process, command},
    services::{self, Addrs},
    sql,
    wire::{self, Connection},
};

/// What a start of the box office writes into `run.json`; there is more in it.
#[derive(Clone, Debug, Deserialize)]
pub struct Facts {
    http: String,
    pub grpc: Grpc,
    metrics: Option<String>,
    setup_token: Option<String>,
    pub database_url: String,
    pub nats_url: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Grpc {
    pub user: SocketAddr,
    pub ticket: SocketAddr,
    pub payment: SocketAddr,
    pub notify: SocketAddr,
}

/// How to start one.
#[derive(Clone, Debug)]
pub struct Start {
    /// Where the programs are.
    pub programs: PathBuf,
    /// Made anew.
    pub data_dir: PathBuf,
    /// Settings of the box office, as its environment.
    pub settings: Vec<(&'static str, String)>,
}

/// A running box office with an admin.
#[derive(Debug)]
pub struct BoxOffice {
    process: Process,
    pub facts: Facts,
    pub http: SocketAddr,
    pub start: Start,
    /// From the start of the program to the first answer of /readyz, with the making of a cluster.
    pub ready_after: Duration,
    replicas: Vec<Replica>,
}

/// A ticket-svc of its own behind a gateway of its own, on the same database.
#[derive(Debug)]
struct Replica {
    addrs: Addrs,
    /// None while it is dead.
    tickets: Option<Process>,
    gateway: Process,
}

impl BoxOffice {
    pub async fn start(start: Start) -> anyhow::Result<Self> {
        if start.data_dir.exists() {
            fs::remove_dir_all(&start.data_dir)?;
        }
        fs::create_dir_all(&start.data_dir)?;
        Self::start_again(start).await
    }

    /// On the data that is there.
    pub async fn start_again(mut start: Start) -> anyhow::Result<Self> {
        start.data_dir = start.data_dir.canonicalize()?;
        let run_json = start.data_dir.join("run.json");
        let _ = fs::remove_file(&run_json);
        let mut program = command(&start.programs.join("boxoffice"));
        program
            .env("BOXOFFICE_DATA_DIR", &start.data_dir)
            .env("HTTP_ADDR", "127.0.0.1:0")
            .env("DEMO_PROGRAMME", "false")
            // Every guest of the bench has the same address.
            .env("RATE_LIMITS", "off")
            .envs(start.settings.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start(program, start.data_dir.join("bench-boxoffice.log"))?;
        let read = |_: &str| -> Option<Facts> {
            serde_json::from_str(&fs::read_to_string(&run_json).ok()?).ok()
        };
        let facts = process.until("the box office is open", read).await?;
        let http = facts.http.trim_start_matches("http://").parse()?;
        ready(http, &mut process).await?;
        let ready_after = process.started.elapsed();
        Ok(Self {
            process,
            facts,
            http,
            start,
            ready_after,
            replicas: Vec::new(),
        })
    }

    /// Makes the first admin.
    pub async fn admin(&self) -> anyhow::Result<Admin> {
        let token = self.facts.setup_token.as_deref();
        Admin::sign_in(self.http, token.context("there is an admin already")?).await
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Time of everything that serves: the box office with its PostgreSQL and NATS, and the replicas.
    pub fn meter(&self) -> Meter {
        let mut roots = vec![self.process.pid()];
        for replica in &self.replicas {
            roots.extend(replica.tickets.as_ref().map(Process::pid));
            roots.push(replica.gateway.pid());
        }
        Meter::of(&roots)
    }

    pub fn database(&self, name: &str) -> anyhow::Result<String> {
        sql::database(&self.facts.database_url, name)
    }

    pub async fn connect(&self, database: &str) -> anyhow::Result<PgConnection> {
        sql::connect(&self.database(database)?).await
    }

    pub fn secret(&self, name: &str) -> anyhow::Result<String> {
        let secrets = Secrets::open(&self.start.data_dir.join("secrets"))?;
        let found = secrets.get(name)?;
        found.with_context(|| format!("the installation has no secret {name}"))
    }

    /// The metrics of this moment, as Prometheus text.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let url = self.facts.metrics.as_deref().unwrap_or_default();
        let addr = url.trim_start_matches("http://");
        let addr: SocketAddr = addr.trim_end_matches("/metrics").parse()?;
        let mut connection = Connection::open(addr).await?;
        let answer = connection.ask(&wire::get("bench", "/metrics", &[])).await?;
        Ok(String::from_utf8_lossy(connection.body(answer)).into_owned())
    }

    /// Adds a ticket-svc and a gateway of their own on the same databases.
    pub async fn add_replica(&mut self) -> anyhow::Result<()> {
        let addrs = Addrs {
            ticket: free_addr()?,
            gateway: free_addr()?,
            ..Addrs::of(self)
        };
        let tickets = self.beside("ticket-svc", &addrs)?;
        let mut gateway = self.beside("gateway", &addrs)?;
        ready(addrs.gateway, &mut gateway).await?;
        self.replicas.push(Replica {
            addrs,
            tickets: Some(tickets),
            gateway,
        });
        Ok(())
    }

    /// A service of its own; its log is named by its port.
    fn beside(&self, service: &str, addrs: &Addrs) -> anyhow::Result<Process> {
        let port = addrs.named(service).port();
        let log = self
            .start
            .data_dir
            .join(format!("bench-{service}-{port}.log"));
        Process::start(services::program(self, service, addrs)?, log)
    }

    /// Where guests may go: the box office itself and each replica.
    pub fn doors(&self) -> Vec<SocketAddr> {
        let replicas = self.replicas.iter().map(|replica| replica.addrs.gateway);
        std::iter::once(self.http).chain(replicas).collect()
    }

    /// kill -9 of the last replica's ticket-svc. Its gateway stays.
    pub async fn kill_a_replica(&mut self) -> anyhow::Result<()> {
        let last = self
            .replicas
            .last_mut()
            .and_then(|last| last.tickets.take());
        last.context("there is no replica to kill")?.kill().await
    }

    /// Starts the ticket-svc of each replica where it is dead, and waits until guests are served.
    pub async fn revive(&mut self) -> anyhow::Result<()> {
        for number in 0..self.replicas.len() {
            let addrs = self.replicas[number].addrs;
            if self.replicas[number].tickets.is_none() {
                self.replicas[number].tickets = Some(self.beside("ticket-svc", &addrs)?);
                ready(addrs.gateway, &mut self.replicas[number].gateway).await?;
            }
        }
        Ok(())
    }

    /// Stops it and leaves its data, for another start.
    pub async fn end(self) -> anyhow::Result<()> {
        self.process.stop().await
    }

    /// Stops it. Its databases are removed, for they may be gigabytes; logs stay until the next run.
    pub async fn stop(self) -> anyhow::Result<()> {
        for replica in self.replicas {
            replica.gateway.stop().await?;
            if let Some(tickets) = replica.tickets {
                tickets.stop().await?;
            }
        }
        self.process.stop().await?;
        remove_data(&self.start.data_dir)
    }
}

fn remove_data(folder: &Path) -> anyhow::Result<()> {
    let databases = folder.join("postgres");
    if databases.exists() {
        fs::remove_dir_all(databases)?;
    }
    Ok(())
}

/// Waits until /readyz says yes.
pub async fn ready(http: SocketAddr, process: &mut Process) -> anyhow::Result<()> {
    answers(http, "/readyz", process).await
}

/// Waits until /healthz does, whatever is behind it.
pub async fn alive(http: SocketAddr, process: &mut Process) -> anyhow::Result<()> {
    answers(http, "/healthz", process).await
}

async fn answers(http: SocketAddr, path: &str, process: &mut Process) -> anyhow::Result<()> {
    let limit = Instant::now() + Duration::from_secs(60);
    let request = wire::get("bench", path, &[]);
    loop {
        if let Ok(mut connection) = Connection::open(http).await
            && let Ok(answer) = connection.ask(&request).await
            && answer.status == 200
        {
            return Ok(());
        }
        process.check()?;
        ensure!(Instant::now() < limit, "{http} does not get ready");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A port that nobody has at this moment.
pub fn free_addr() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
