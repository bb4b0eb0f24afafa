use crate::Infra;
use async_nats::{ConnectOptions, ServerAddr};
use embedded::{DataDir, Nats, Tools};
use std::sync::OnceLock;
use tokio::sync::Mutex;

/// A nats-server with JetStream.
#[derive(Debug)]
pub struct NatsServer {
    url: String,
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
        let _ = self.own();
        let nats = self.running.lock().await.take();
        nats.expect("this nats-server does not run").stop().await;
    }

    /// Forgets everything a stopped private server had stored.
    pub async fn wipe(&self) {
        assert!(
            self.running.lock().await.is_none(),
            "stop the nats-server before you wipe its store"
        );
        let store = self.own().path().join("nats/jetstream");
        match std::fs::remove_dir_all(&store) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                panic!("wiping {}: {error}", store.display())
            }
            _ => {}
        }
    }

    fn own(&self) -> &DataDir {
        self.data
            .as_ref()
            .expect("the shared nats-server belongs to all tests: use start_private")
    }
}
