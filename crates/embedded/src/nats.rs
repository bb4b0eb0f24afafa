//! A private nats-server with JetStream.

use crate::command::Argv;
use crate::layout::DataDir;
use crate::nats_bin;
use crate::secrets::random_secret;
use crate::supervise::{Launch, Server, dies_with_us};
use crate::tools::Tools;
use crate::{orphan, ports};
use anyhow::{Context as _, Result, bail, ensure};
use async_nats::{ConnectOptions, ServerAddr};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
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
        let port = ports::remembered(&data.port_file("nats")?)?;
        let password = data
            .secrets()?
            .get_or_create("nats.password", random_secret)?;
        Ok(format!("nats://{USER}:{password}@127.0.0.1:{port}"))
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

        let url = Self::planned_url(data)?;
        write_config(&config, &home, &url)?;
        let server = Server::start(Launch {
            name: "nats-server",
            argv: dies_with_us(Argv::default(), "TERM")
                .arg(program)
                .arg("--config")
                .arg(config),
            dir: home,
            log: data.log_file("nats")?,
            stop_signals: &["TERM"],
        })?;
        ready(&server, &url).await?;
        server.keep_alive();
        Ok(Self { server, url })
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
    let addrs = addresses(url).context("NATS_URL cannot be read")?;
    let place = format!("{}:{}", addrs[0].host(), addrs[0].port());
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

/// One, or those of a cluster with commas between them.
fn addresses(urls: &str) -> Result<Vec<ServerAddr>> {
    let addrs = urls.split(',').map(|url| url.trim().parse());
    Ok(addrs.collect::<Result<_, _>>()?)
}

async fn connect(urls: &str) -> Result<async_nats::Client> {
    let addrs = addresses(urls)?;
    // The first speaks for all, as where the services read the same addresses.
    let first = addrs[0].clone();
    let mut options = ConnectOptions::new().connection_timeout(Duration::from_secs(5));
    let parameters: BTreeMap<_, _> = first
        .clone()
        .into_inner()
        .query_pairs()
        .into_owned()
        .collect();
    if let Some(ca) = parameters.get("ca") {
        options = options.add_root_certificates(ca.into()).require_tls(true);
    }
    if let (Some(cert), Some(key)) = (parameters.get("cert"), parameters.get("key")) {
        options = options.add_client_certificate(cert.into(), key.into());
    }
    if let (Some(user), Some(password)) = (first.username(), first.password()) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    let bare = addrs.into_iter().map(bare).collect::<Result<Vec<_>>>()?;
    Ok(options.connect(bare).await?)
}

/// The library writes the address into its log; the credentials travel beside it.
fn bare(addr: ServerAddr) -> Result<ServerAddr> {
    let mut bare = addr.into_inner();
    let cleared = bare.set_username("").and_then(|()| bare.set_password(None));
    ensure!(cleared.is_ok(), "the address of NATS has no host");
    bare.set_query(None);
    Ok(ServerAddr::from_url(bare)?)
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
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("writing {}", path.display()))
}

async fn ready(server: &Server, url: &str) -> Result<()> {
    let started = Instant::now();
    while server.pid().is_some() && started.elapsed() < READY_LIMIT {
        if jetstream_answers(url).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!(
        "nats-server does not become ready. Its log says:\n{}",
        server.last_words()
    )
}

async fn jetstream_answers(url: &str) -> Result<()> {
    let client = connect(url).await?;
    async_nats::jetstream::new(client).query_account().await?;
    Ok(())
}
