//! A private nats-server with JetStream.

use crate::layout::DataDir;
use crate::nats_bin;
use crate::secrets::random_secret;
use crate::supervise::{Launch, Server};
use crate::tools::Tools;
use crate::{orphan, ports};
use anyhow::{Context as _, Result, bail, ensure};
use async_nats::{ConnectOptions, ServerAddr};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const USER: &str = "boxoffice";
const READY_LIMIT: Duration = Duration::from_secs(30);

/// A running nats-server on 127.0.0.1. Dropping it ends it too.
#[derive(Debug)]
pub struct Nats {
    server: Server,
    url: String,
}

impl Nats {
    /// The URL that a server of this data folder will have, also before it is started:
    /// `nats://user:password@127.0.0.1:port`.
    ///
    /// # Errors
    /// When the data folder cannot be written or no port is free.
    pub fn planned_url(data: &DataDir) -> Result<String> {
        url(data, ports::remembered(&data.port_file("nats")?)?)
    }

    /// Starts the server of this data folder and returns when JetStream answers.
    ///
    /// # Errors
    /// One sentence that says what to do: no suitable program, or the end of the server's own log.
    pub async fn start(data: &DataDir, tools: &Tools) -> Result<Self> {
        let home = data.folder("nats")?;
        let program = nats_bin::find(data, tools).await?;
        let config = home.join("nats.conf");
        orphan::end(&home.join("nats.pid"), &config, &["TERM", "KILL"]).await?;

        let port_file = data.port_file("nats")?;
        let mut port = ports::remembered(&port_file)?;
        for _ in 0..3 {
            let url = url(data, port)?;
            write_config(&config, &home, &url)?;
            let launch = launch(&program, &config, home.clone(), data.log_file("nats")?);
            let server = Server::start(launch)?;
            if ready(&server, &url).await? {
                server.keep_alive();
                return Ok(Self { server, url });
            }
            if ports::is_free(port) {
                bail!(
                    "nats-server ended while starting. Its log says:\n{}",
                    server.last_words()
                );
            }
            // Somebody took the port between our look and the start.
            port = ports::renew(&port_file)?;
        }
        bail!("nats-server found three ports taken in a row")
    }

    /// `nats://user:password@127.0.0.1:port`. async-nats takes no credentials from a URL by itself.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Process id of the server, `None` while it is being started again.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Ends the server in order and waits for it.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// Looks at a server that somebody else runs. One that does not answer now is no error: services start and sell
/// without it.
pub(crate) async fn check_external(url: &str) -> Result<()> {
    let addr: ServerAddr = url.parse().context("NATS_URL cannot be read")?;
    let place = format!("{}:{}", addr.host(), addr.port());
    match connect(url).await {
        Ok(client) => {
            let version = client.server_info().version;
            ensure!(
                nats_bin::is_new_enough(&version),
                "the nats-server at {place} is {version}, and 2.11 or newer is needed"
            );
        }
        Err(error) => {
            tracing::warn!(%place, %error, "NATS does not answer yet, going on without it")
        }
    }
    Ok(())
}

async fn connect(url: &str) -> Result<async_nats::Client> {
    let addr: ServerAddr = url.parse()?;
    let mut options = ConnectOptions::new().connection_timeout(Duration::from_secs(5));
    if let (Some(user), Some(password)) = (addr.username(), addr.password()) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    Ok(options.connect(addr).await?)
}

fn url(data: &DataDir, port: u16) -> Result<String> {
    let password = data
        .secrets()?
        .get_or_create("nats.password", random_secret)?;
    Ok(format!("nats://{USER}:{password}@127.0.0.1:{port}"))
}

/// Written anew at each start; it holds the password.
fn write_config(path: &Path, home: &Path, url: &str) -> Result<()> {
    let addr: ServerAddr = url.parse()?;
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\n\
         server_name: boxoffice\n\
         pid_file: {pid_file:?}\n\
         jetstream {{ store_dir: {home:?}, max_memory_store: 64MB }}\n\
         authorization {{ user: {USER}, password: {password:?} }}\n",
        port = addr.port(),
        pid_file = home.join("nats.pid"),
        password = addr.password().unwrap_or_default(),
    );
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}

fn launch(program: &Path, config: &Path, home: PathBuf, log: PathBuf) -> Launch {
    Launch {
        name: "nats-server",
        argv: vec![
            program.display().to_string(),
            "--config".to_owned(),
            config.display().to_string(),
        ],
        prefix: Vec::new(),
        dir: home,
        log,
        stop_signals: &["TERM"],
    }
}

/// `false` when the server ended before it was ready.
async fn ready(server: &Server, url: &str) -> Result<bool> {
    let started = Instant::now();
    let mut last = None;
    while started.elapsed() < READY_LIMIT {
        if server.pid().is_none() {
            return Ok(false);
        }
        match jetstream_answers(url).await {
            Ok(()) => return Ok(true),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!(
        "nats-server is not ready after {READY_LIMIT:?} ({}). Its log says:\n{}",
        last.map_or_else(String::new, |error| error.to_string()),
        server.last_words()
    )
}

async fn jetstream_answers(url: &str) -> Result<()> {
    let client = connect(url).await?;
    async_nats::jetstream::new(client).query_account().await?;
    Ok(())
}
