use crate::nats::shared;
use crate::process::kill;
use crate::{Infra, eventually, quiet_ports};
use async_nats::{ConnectOptions, ServerAddr, jetstream};
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

const USER: &str = "box";
/// For a server to be there, and for all to agree again.
const AGREED_WITHIN: Duration = Duration::from_secs(60);

/// Several nats-servers of one test's own that keep JetStream's data together. They end when dropped.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<Server>,
    password: String,
}

#[derive(Debug)]
struct Server {
    port: u16,
    config: PathBuf,
    running: Mutex<Option<Child>>,
}

impl NatsCluster {
    /// So many servers, running and agreed on who leads.
    pub async fn start_private(count: usize) -> Self {
        let password = crate::keys::random_text(16);
        let ports = quiet_ports(2 * count);
        let (clients, peers) = ports.split_at(count);
        let routes: Vec<String> = peers
            .iter()
            .map(|port| format!("\"nats-route://127.0.0.1:{port}\""))
            .collect();
        let routes = routes.join(", ");
        let servers = clients.iter().zip(peers).map(|(port, peer)| {
            let home = Infra::get().private_dir();
            std::fs::create_dir_all(&home).expect("a folder for a nats-server");
            let config = home.join("nats.conf");
            let text = format!(
                "listen: \"127.0.0.1:{port}\"\n\
                 server_name: \"nats-{port}\"\n\
                 jetstream {{ store_dir: {home:?}, max_memory_store: 64MB }}\n\
                 cluster {{ name: test, listen: \"127.0.0.1:{peer}\", routes: [{routes}] }}\n\
                 authorization {{ user: {USER}, password: {password:?} }}\n"
            );
            std::fs::write(&config, text).expect("a file for the server's settings");
            Server {
                port: *port,
                config,
                running: Mutex::default(),
            }
        });
        let cluster = Self {
            servers: servers.collect(),
            password,
        };
        for number in 0..count {
            cluster.launch(number).await;
        }
        cluster.agrees().await;
        cluster
    }

    /// The addresses of all with commas between them, as NATS_URL takes them.
    pub fn urls(&self) -> String {
        let urls = self.servers.iter().map(|server| self.url(server));
        urls.collect::<Vec<_>>().join(",")
    }

    pub fn count(&self) -> usize {
        self.servers.len()
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(&self, number: usize) {
        let mut child = self.take(number).await;
        let pid = child.id().expect("nobody has waited for it");
        crate::process::terminate(pid);
        child.wait().await.expect("its end");
    }

    /// kill -9.
    pub async fn kill(&self, number: usize) {
        let mut child = self.take(number).await;
        kill(child.id().expect("nobody has waited for it"));
        child.wait().await.expect("its end");
    }

    /// Starts one again, on its port and with its store, and waits until all agree and every copy of every stream is
    /// as new as the others.
    pub async fn start(&self, number: usize) {
        self.launch(number).await;
        self.agrees().await;
    }

    /// Which server leads the stream; none while they vote, or where there is no such stream.
    pub async fn leader(&self, stream: &str) -> Option<usize> {
        let stream = self.jetstream().await?.get_stream(stream).await.ok()?;
        let name = stream.cached_info().cluster.as_ref()?.leader.clone()?;
        let is_it = |server: &Server| name == format!("nats-{}", server.port);
        self.servers.iter().position(is_it)
    }

    /// How many servers have what the stream has, to the last message.
    pub async fn copies(&self, stream: &str) -> usize {
        let Some(jetstream) = self.jetstream().await else {
            return 0;
        };
        let Ok(stream) = jetstream.get_stream(stream).await else {
            return 0;
        };
        let cluster = stream.cached_info().cluster.clone();
        cluster.map_or(0, |cluster| {
            let others = cluster.replicas.iter();
            let current = others.filter(|peer| peer.current && !peer.offline).count();
            usize::from(cluster.leader.is_some()) + current
        })
    }

    async fn launch(&self, number: usize) {
        let server = &self.servers[number];
        let mut running = server.running.lock().await;
        assert!(running.is_none(), "this nats-server runs already");
        let log = server.config.with_extension("log");
        let log = File::options().create(true).append(true).open(log);
        let child = Command::new(shared().program().await)
            .arg("--config")
            .arg(&server.config)
            .stdin(Stdio::null())
            .stderr(log.expect("a file for its log"))
            .kill_on_drop(true)
            .spawn();
        *running = Some(child.expect("a nats-server"));
    }

    /// Every server that runs answers for JetStream, and no copy of a stream is behind.
    async fn agrees(&self) {
        eventually("the nats-servers to agree", AGREED_WITHIN, async || {
            for server in &self.servers {
                if server.running.lock().await.is_some() {
                    let url = self.url(server);
                    self.answers(&url).await?;
                }
            }
            Some(())
        })
        .await;
    }

    async fn answers(&self, url: &str) -> Option<()> {
        use tokio_stream::StreamExt as _;
        let jetstream = jetstream::new(self.connect(url).await?);
        jetstream.query_account().await.ok()?;
        let mut streams = jetstream.streams();
        while let Some(stream) = streams.next().await {
            let cluster = stream.ok()?.cluster?;
            cluster.leader?;
            let behind = |peer: &jetstream::stream::PeerInfo| !peer.current || peer.offline;
            if cluster.replicas.iter().any(behind) {
                return None;
            }
        }
        Some(())
    }

    async fn jetstream(&self) -> Option<jetstream::Context> {
        Some(jetstream::new(self.connect(&self.urls()).await?))
    }

    async fn connect(&self, urls: &str) -> Option<async_nats::Client> {
        let servers = urls.split(',').map(|url| url.parse().expect("our own URL"));
        let servers: Vec<ServerAddr> = servers.collect();
        let options =
            ConnectOptions::with_user_and_password(USER.to_owned(), self.password.clone());
        options.connect(servers).await.ok()
    }

    async fn take(&self, number: usize) -> Child {
        let child = self.servers[number].running.lock().await.take();
        child.expect("this nats-server does not run")
    }

    fn url(&self, server: &Server) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.password, server.port)
    }
}
