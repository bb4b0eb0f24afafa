use crate::Infra;
use crate::process::{Frozen, kill};
use async_nats::{ConnectOptions, ServerAddr};
use embedded::{DataDir, Nats, Tools};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

/// A nats-server with JetStream.
#[derive(Debug)]
pub struct NatsServer {
    url: String,
    // Dropped before the server: a stopped process could not end.
    frozen: Mutex<Option<Frozen>>,
    running: Mutex<Option<Nats>>,
    /// `None` for the shared server, which no test may stop.
    data: Option<DataDir>,
}

/// The nats-server that all tests of this binary share. Use subjects and streams of your own in it.
pub async fn nats() -> &'static NatsServer {
    shared()
}

pub(crate) fn shared() -> &'static NatsServer {
    static SHARED: OnceLock<NatsServer> = OnceLock::new();
    SHARED.get_or_init(|| {
        let infra = Infra::get();
        let nats = infra
            .block_on(Nats::start(infra.data(), &Tools::from_env()))
            .unwrap_or_else(|error| panic!("no nats-server for the tests: {error:#}"));
        NatsServer {
            url: nats.url().to_owned(),
            frozen: Mutex::default(),
            running: Mutex::new(Some(nats)),
            data: None,
        }
    })
}

impl NatsServer {
    /// A server of this test's own, running. Ends when dropped.
    pub async fn start_private() -> Self {
        let server = Self::reserve_private().await;
        server.start().await;
        server
    }

    /// A server of this test's own that is not running yet: its URL is known, connecting is refused until `start`.
    pub async fn reserve_private() -> Self {
        let data = DataDir::open(&Infra::get().private_dir()).expect("a folder for a nats-server");
        let url = Nats::planned_url(&data).expect("a port for a nats-server");
        Self {
            url,
            frozen: Mutex::default(),
            running: Mutex::new(None),
            data: Some(data),
        }
    }

    /// `nats://user:password@127.0.0.1:port`; stays the same over stop and start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connected client. async-nats takes no credentials from a URL by itself; this passes them.
    pub async fn client(&self) -> async_nats::Client {
        let addr: ServerAddr = self.url.parse().expect("our own URL");
        let user = addr.username().unwrap_or_default().to_owned();
        let password = addr.password().unwrap_or_default().to_owned();
        let client = ConnectOptions::with_user_and_password(user, password)
            .connect(addr)
            .await;
        client.unwrap_or_else(|error| panic!("connecting to the test's nats-server: {error}"))
    }

    /// Starts a private server (again), with its store and on its port, and waits until JetStream answers.
    pub async fn start(&self) {
        let mut running = self.running.lock().await;
        assert!(running.is_none(), "this nats-server runs already");
        let nats = Nats::start(self.own(), &Tools::from_env())
            .await
            .unwrap_or_else(|error| panic!("starting a nats-server: {error:#}"));
        assert_eq!(
            nats.url(),
            self.url,
            "somebody took the reserved port meanwhile"
        );
        *running = Some(nats);
    }

    /// Stops a private server in order; its store stays.
    pub async fn stop(&self) {
        self.take().await.stop().await;
    }

    /// kill -9. What it had acknowledged and not yet written is gone; it stays down until `start`.
    pub async fn kill(&self) {
        let nats = self.take().await;
        kill(nats.pid().expect("this nats-server does not run"));
        // Not started again: to its keeper this is a stop.
        nats.stop().await;
    }

    /// Stops the process where it stands: sockets stay open, nobody answers, until `thaw`.
    pub async fn freeze(&self) {
        let _ = self.own();
        let pid = self.running.lock().await.as_ref().and_then(Nats::pid);
        let pid = pid.expect("this nats-server does not run");
        self.frozen
            .lock()
            .await
            .get_or_insert_with(|| Frozen::new(pid));
    }

    /// Lets a frozen server go on.
    pub async fn thaw(&self) {
        drop(self.frozen.lock().await.take());
    }

    /// Forgets everything a stopped private server had stored.
    pub async fn wipe(&self) {
        let store = self.stopped_store().await;
        if store.exists() {
            std::fs::remove_dir_all(&store)
                .unwrap_or_else(|error| panic!("wiping {}: {error}", store.display()));
        }
    }

    /// A copy of what a stopped private server has stored.
    pub async fn snapshot(&self) -> StoreSnapshot {
        let copy = Infra::get().private_dir();
        copy_tree(&self.stopped_store().await, &copy);
        StoreSnapshot(copy)
    }

    /// Puts the store of a stopped private server back to what it was: a disk restored from a backup.
    pub async fn rollback(&self, to: &StoreSnapshot) {
        self.wipe().await;
        copy_tree(&to.0, &self.stopped_store().await);
    }

    async fn take(&self) -> Nats {
        let _ = self.own();
        self.thaw().await;
        let nats = self.running.lock().await.take();
        nats.expect("this nats-server does not run")
    }

    /// The program that runs.
    pub(crate) async fn program(&self) -> PathBuf {
        let pid = self.running.lock().await.as_ref().and_then(Nats::pid);
        let pid = pid.expect("this nats-server does not run");
        std::fs::read_link(format!("/proc/{pid}/exe")).expect("the program of a process")
    }

    async fn stopped_store(&self) -> PathBuf {
        let runs = self.running.lock().await.is_some();
        assert!(!runs, "stop the nats-server before you touch its store");
        self.own().path().join("nats/jetstream")
    }

    fn own(&self) -> &DataDir {
        self.data
            .as_ref()
            .expect("the shared nats-server belongs to all tests: use start_private")
    }
}

/// A nats-server of one test's own that takes nothing but TLS. It ends when dropped.
#[derive(Debug)]
pub struct TlsNats {
    /// `nats://user:password@127.0.0.1:port`.
    pub url: String,
    _server: Child,
}

impl TlsNats {
    /// `certificates` holds `tls.crt` and `tls.key` of the server, and in `ca.crt` who signs its clients, if they have to
    /// have a certificate.
    pub async fn start(certificates: &Path, clients_have_one: bool) -> Self {
        let program = shared().program().await;
        let port = crate::quiet_ports(1)[0];
        let password = crate::keys::random_text(16);
        let file = |name: &str| certificates.join(name);
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\n\
             authorization {{ user: box, password: {password:?} }}\n\
             tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: {clients_have_one} }}\n",
            file("tls.crt"),
            file("tls.key"),
            file("ca.crt"),
        );
        let path = file("nats.conf");
        std::fs::write(&path, config).expect("a file for the server's settings");
        let server = Command::new(program)
            .arg("--config")
            .arg(path)
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a nats-server");
        let up = async || TcpStream::connect(("127.0.0.1", port)).await.ok();
        crate::eventually("the nats-server to listen", Duration::from_secs(10), up).await;
        Self {
            url: format!("nats://box:{password}@127.0.0.1:{port}"),
            _server: server,
        }
    }
}

/// What a nats-server had stored at some moment.
#[derive(Debug)]
pub struct StoreSnapshot(PathBuf);

fn copy_tree(from: &Path, to: &Path) {
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy_tree(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target)?;
            }
        }
        Ok(())
    };
    copy().unwrap_or_else(|error| panic!("copying {}: {error}", from.display()));
}
