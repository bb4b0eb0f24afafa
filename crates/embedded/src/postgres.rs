//! A private PostgreSQL cluster.

use crate::jail::Jail;
use crate::layout::DataDir;
use crate::postgres_bin::{self, PostgresBin};
use crate::secrets::random_secret;
use crate::supervise::{Launch, Server, dies_with_us};
use crate::tools::Tools;
use crate::{orphan, ports};
use anyhow::{Context as _, Result, bail};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SUPERUSER: &str = "boxoffice";
const SECRET: &str = "postgres.superuser";
/// Recovery after a crash reads the log since the last checkpoint; this is far more than that takes.
const READY_LIMIT: Duration = Duration::from_secs(120);
const START_ATTEMPTS: u32 = 4;
/// Files of its log that PostgreSQL keeps to write over; where it has none, commits wait until one is made.
pub const LOG_KEPT_MIB: i64 = 512;
/// A checkpoint begins after about half of this, and a recovery reads so much at most.
const LOG_MIB: i64 = 2048;

/// A running cluster on 127.0.0.1. Dropping it ends it too.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    admin_url: String,
}

impl Postgres {
    /// Starts the cluster of this data folder, making it first where there is none. Returns when it takes
    /// connections. Without `durable` it forgets its data in a power cut: for tests only.
    ///
    /// # Errors
    /// One sentence that says what to do: no PostgreSQL found, cannot run as root here, secrets lost, or the end of
    /// the server's own log.
    pub async fn start(data: &DataDir, tools: &Tools, durable: bool) -> Result<Self> {
        let home = data.folder("postgres")?;
        let cluster = Cluster {
            path: home.join("data"),
            jail: Jail::choose(data.path(), &home).await?,
            bin: postgres_bin::find(tools, major_of(&home.join("data"))?).await?,
            home,
            durable,
        };
        let password = cluster.ensure(data).await?;
        let pid_file = cluster.path.join("postmaster.pid");
        orphan::end(&pid_file, &cluster.path, &["INT", "QUIT"]).await?;
        disown(&pid_file)?;

        let mut last_words = String::new();
        for _ in 0..START_ATTEMPTS {
            let port = ports::remembered(&data.port_file("postgres")?)?;
            let server = Server::start(cluster.launch(port, data.log_file("postgres")?))?;
            if ready(&server, &pid_file).await? {
                server.keep_alive();
                let admin_url = format!(
                    "postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres?sslmode=disable"
                );
                return Ok(Self { server, admin_url });
            }
            last_words = server.last_words();
            // Sessions of a server that was killed may take a moment to let go of its memory.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        bail!("PostgreSQL ended while starting. Its log says:\n{last_words}")
    }

    /// URL of the superuser, database `postgres`.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// Process id of the server, `None` while it is being started again.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Ends open sessions, writes everything down and waits for the end.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// The major version that made a cluster; `None` where there is no cluster.
pub(crate) fn major_of(cluster: &Path) -> Result<Option<u32>> {
    let Ok(text) = fs::read_to_string(cluster.join("PG_VERSION")) else {
        return Ok(None);
    };
    let major = text.trim().parse().map(Some);
    major.with_context(|| format!("{} is not a cluster", cluster.display()))
}

/// A server that was killed leaves its pid in the file. When that pid belongs to a stranger by now (in a container
/// that started anew, say) or to a process nobody has waited for, PostgreSQL would take it for its own and refuse.
/// The pid of its parent it knows to be stale; what else it checks by the file stays in force.
fn disown(pid_file: &Path) -> Result<()> {
    let Ok(text) = fs::read_to_string(pid_file) else {
        return Ok(());
    };
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    // Written in place: the owner of the file must stay.
    fs::write(pid_file, format!("{}\n{rest}", std::process::id()))
        .with_context(|| format!("writing {}", pid_file.display()))
}

/// `false` when the server ended before it was ready.
async fn ready(server: &Server, pid_file: &Path) -> Result<bool> {
    let started = Instant::now();
    while started.elapsed() < READY_LIMIT {
        let Some(pid) = server.pid() else {
            return Ok(false);
        };
        // Line 1 is the postmaster's pid, line 8 its state.
        let text = fs::read_to_string(pid_file).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        let is_ours = lines.next() == Some(pid.to_string().as_str());
        // One that follows another cluster takes connections, too.
        if is_ours && matches!(lines.nth(6), Some("ready" | "standby")) {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bail!(
        "PostgreSQL is not ready after {READY_LIMIT:?}. Its log says:\n{}",
        server.last_words()
    )
}

struct Cluster {
    home: PathBuf,
    path: PathBuf,
    jail: Jail,
    bin: PostgresBin,
    durable: bool,
}

impl Cluster {
    /// Makes the cluster where there is none. Returns the superuser's password.
    async fn ensure(&self, data: &DataDir) -> Result<String> {
        let secrets = data.secrets()?;
        if self.path.exists() {
            return secrets.get(SECRET)?.with_context(|| {
                format!(
                    "{} holds a cluster but its password, {}/secrets/{SECRET}, is gone: put the file back, \
                     or begin anew with `boxoffice reset`",
                    self.path.display(),
                    data.path().display()
                )
            });
        }
        let password = secrets.get_or_create(SECRET, random_secret)?;
        self.initdb(&password).await?;
        Ok(password)
    }

    /// Made under another name and renamed when complete: a crash leaves no half cluster.
    async fn initdb(&self, password: &str) -> Result<()> {
        for entry in fs::read_dir(&self.home)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("new.") {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let draft = self.home.join(format!("new.{}", std::process::id()));
        let password_file = self.home.join("password");
        let _ = fs::remove_file(&password_file);
        let mut options = OpenOptions::new();
        let mut file = options
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&password_file)?;
        writeln!(file, "{password}")?;
        self.jail.give(&password_file)?;

        let locale = if cfg!(target_os = "linux") {
            "C.UTF-8"
        } else {
            "C"
        };
        let initdb = self
            .jail
            .argv()
            .arg(self.bin.dir.join("initdb"))
            .arg("--pgdata")
            .arg(&draft);
        let initdb = initdb.arg("--pwfile").arg(&password_file).words(&format!(
            "--username={SUPERUSER} --auth=scram-sha-256 --encoding=UTF8 --locale={locale}"
        ));
        let initdb = if self.durable {
            initdb
        } else {
            initdb.arg("--no-sync")
        };
        let made = initdb.run().await;
        fs::remove_file(&password_file)?;
        made.context("making a PostgreSQL cluster")?;
        fs::rename(&draft, &self.path)?;
        Ok(())
    }

    fn launch(&self, port: u16, log: PathBuf) -> Launch {
        // No socket file: its path is limited to about 107 bytes, and a data folder may be deeper.
        let always = "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 \
                      -c timezone=UTC -c log_timezone=UTC -c log_line_prefix=%m|%p|%u@%d|";
        // Its log names no row that was refused and no value of a slow statement: those are guests.
        let discreet = "-c log_error_verbosity=terse -c log_parameter_max_length=0";
        let lasting = format!(
            "-c min_wal_size={LOG_KEPT_MIB}MB -c max_wal_size={LOG_MIB}MB -c checkpoint_timeout=15min"
        );
        let careless = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal \
                        -c max_wal_senders=0";
        let argv = dies_with_us(self.jail.argv(), "INT").arg(self.bin.dir.join("postgres"));
        let argv = argv
            .arg("-D")
            .arg(&self.path)
            .words(&format!("-p {port}"))
            .words(always)
            .words(discreet);
        Launch {
            name: "postgres",
            argv: if self.durable {
                argv.words(&lasting)
            } else {
                argv.words(careless)
            },
            dir: self.home.clone(),
            log,
            // Fast shutdown; then immediate, which recovers at the next start.
            stop_signals: &["INT", "QUIT"],
        }
    }
}
