//! The real service on a real database, and clients of it.

use clap::Parser as _;
use kit::{Bind, Failure, MeshKey, Shutdown, Tasks, client::MeshChannel};
use proto::{
    Peer,
    user::{
        GetMeRequest, LoginRequest, LoginResponse, SetupFirstAdminRequest, User,
        session_service_client::SessionServiceClient, setup_service_client::SetupServiceClient,
    },
};
use testkit::{TestDb, keys};
use tokio::task::JoinHandle;
use tonic::Request;
use user_svc::{Config, MIGRATOR, build};

pub const EMAIL: &str = "Ada@Example.org";
pub const PASSWORD: &str = "correct horse battery";

pub async fn database() -> TestDb {
    testkit::database("users", &MIGRATOR).await
}

/// Settings as flags, with keys of their own.
pub fn config(database_url: &str) -> Config {
    let flags = [
        format!("--database-url={database_url}"),
        format!("--mesh-key={}", keys::mesh_key()),
        format!("--signing-seal-key={}", keys::random_text(32)),
        format!("--password-pepper={}", keys::key_ring()),
        format!("--setup-token={}", keys::random_text(32)),
        "--bcrypt-cost=4".to_owned(),
        "--database-max-connections=4".to_owned(),
    ];
    Config::try_parse_from(std::iter::once("user-svc".to_owned()).chain(flags)).unwrap()
}

/// A running user-svc.
pub struct Service {
    pub config: Config,
    pub url: String,
    shutdown: Shutdown,
    tasks: Tasks,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    pub async fn start(config: Config) -> Self {
        Self::start_with(config, base::Sources::system()).await
    }

    pub async fn start_with(config: Config, sources: base::Sources) -> Self {
        testkit::logs();
        let (bind, addr) = Bind::loopback().await.unwrap();
        let server = Box::pin(build(&config, bind, sources)).await.unwrap();
        let (shutdown, tasks) = (Shutdown::new(), server.tasks().clone());
        let serving = tokio::spawn(server.serve(shutdown.clone()));
        Self {
            config,
            url: format!("http://{addr}"),
            shutdown,
            tasks,
            serving,
        }
    }

    pub fn mesh(&self) -> &MeshKey {
        &self.config.mesh_key
    }

    pub fn channel(&self, peer: Peer) -> MeshChannel {
        kit::client::channel(&self.url, self.mesh().identity(peer)).unwrap()
    }

    pub fn setup_request(&self) -> SetupFirstAdminRequest {
        SetupFirstAdminRequest {
            setup_token: self
                .config
                .setup_token
                .as_ref()
                .unwrap()
                .expose()
                .to_owned(),
            email: EMAIL.to_owned(),
            password: PASSWORD.to_owned(),
        }
    }

    pub async fn setup(&self, request: SetupFirstAdminRequest) -> Result<User, Failure> {
        let mut client = SetupServiceClient::new(self.channel(Peer::Gateway));
        let answer = client.setup_first_admin(request).await;
        Ok(answer
            .map_err(|status| Failure::from_status(&status))?
            .into_inner()
            .user
            .unwrap())
    }

    pub async fn login(&self, email: &str, password: &str) -> Result<LoginResponse, Failure> {
        let mut client = SessionServiceClient::new(self.channel(Peer::Gateway));
        let request = LoginRequest {
            email: email.to_owned(),
            password: password.to_owned(),
        };
        let answer = client.login(request).await;
        Ok(answer
            .map_err(|status| Failure::from_status(&status))?
            .into_inner())
    }

    pub async fn get_me(&self, token: &str) -> Result<User, Failure> {
        let mut client = SessionServiceClient::new(self.channel(Peer::Gateway));
        let mut request = Request::new(GetMeRequest {});
        let header = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", header);
        let answer = client.get_me(request).await;
        Ok(answer
            .map_err(|status| Failure::from_status(&status))?
            .into_inner()
            .user
            .unwrap())
    }

    /// Stops in order; no task may be left.
    pub async fn stop(self) {
        self.shutdown.begin();
        self.serving.await.unwrap().unwrap();
        assert_eq!(self.tasks.in_flight(), 0);
    }
}

/// A service with its first account.
pub async fn founded() -> (TestDb, Service) {
    let db = database().await;
    let service = Service::start(config(&db.url)).await;
    service.setup(service.setup_request()).await.unwrap();
    (db, service)
}

/// What must be true whatever a test did: every change is on record, no session is stuck.
pub async fn check_invariants(db: &TestDb) {
    let mut conn = db.connect().await;
    let (changes, recorded, founders, keys): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM sessions),
                (SELECT count(*) FROM audit_log),
                (SELECT count(*) FROM users WHERE founder),
                (SELECT count(*) FROM signing_keys WHERE status = 'current')",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(
        changes, recorded,
        "every change has its line in the audit log"
    );
    assert!(founders <= 1);
    assert_eq!(keys, 1);
    let stuck: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(stuck, 0);
}
