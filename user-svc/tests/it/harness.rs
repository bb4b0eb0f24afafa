//! The real service on a real database, and clients of it.

use std::time::Duration;

use clap::Parser as _;
use kit::{Bind, ErrorReason, Failure, MeshKey, Shutdown, Tasks, client::MeshChannel};
use prost::Message as _;
use proto::{
    Peer,
    event::{Envelope, envelope::Payload},
    user::{
        Account, CreateAccountRequest, GetMeRequest, InviteAdminRequest, ListSessionsRequest,
        LoginRequest, LoginResponse, LogoutRequest, RefreshRequest, RefreshResponse,
        RegisterRequest, RevokeSessionRequest, Role, Session, SetupFirstAdminRequest, User,
        account_admin_service_client::AccountAdminServiceClient,
        registration_service_client::RegistrationServiceClient,
        session_service_client::SessionServiceClient, setup_service_client::SetupServiceClient,
    },
};
use testkit::{Patient, TestDb, eventually, keys};
use tokio::task::JoinHandle;
use tonic::Request;
use user_svc::{Config, MIGRATOR, build};

pub const EMAIL: &str = "Ada@Example.org";
pub const PASSWORD: &str = "correct horse battery";
/// By when everybody has heard of what was revoked.
pub const PROMISED: Duration = Duration::from_secs(5);
pub const PATIENCE: Duration = Duration::from_secs(60);

pub type Channel = Patient<MeshChannel>;

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
        format!("--link-seal-key={}", keys::random_text(32)),
        // Nobody listens there: what is mailed waits in the outbox.
        "--nats-url=nats://127.0.0.1:9".to_owned(),
        "--notify-svc-url=http://127.0.0.1:9".to_owned(),
        "--public-url=https://tickets.example.org".to_owned(),
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
        self.config.mesh.key.as_ref().unwrap()
    }

    pub fn channel(&self, peer: Peer) -> MeshChannel {
        kit::client::channel(&self.url, self.mesh().identity(peer)).unwrap()
    }

    /// Comes again where it is told to.
    pub fn caller(&self, peer: Peer) -> Channel {
        Patient(self.channel(peer))
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
        let mut client = SetupServiceClient::new(self.caller(Peer::Gateway));
        let answer = client.setup_first_admin(request).await;
        Ok(answer
            .map_err(|status| Failure::from_status(&status))?
            .into_inner()
            .user
            .unwrap())
    }

    pub async fn login(&self, email: &str, password: &str) -> Result<LoginResponse, Failure> {
        self.login_from("192.0.2.1", email, password).await
    }

    pub async fn login_from(
        &self,
        network: &str,
        email: &str,
        password: &str,
    ) -> Result<LoginResponse, Failure> {
        let mut client = SessionServiceClient::new(self.caller(Peer::Gateway));
        let request = LoginRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            network: network.to_owned(),
            user_agent: "Testing/1.0".to_owned(),
            code: String::new(),
        };
        told(client.login(request).await)
    }

    pub async fn refresh(&self, refresh_token: &str) -> Result<RefreshResponse, Failure> {
        let refresh_token = refresh_token.to_owned();
        told(
            self.sessions()
                .refresh(RefreshRequest { refresh_token })
                .await,
        )
    }

    pub async fn logout(&self, refresh_token: &str) -> Result<(), Failure> {
        let refresh_token = refresh_token.to_owned();
        told(
            self.sessions()
                .logout(LogoutRequest { refresh_token })
                .await,
        )
        .map(drop)
    }

    /// Of whom the token is, or of the account.
    pub async fn list_sessions(&self, token: &str, of: &str) -> Result<Vec<Session>, Failure> {
        let user_id = of.to_owned();
        let request = as_admin(token, ListSessionsRequest { user_id });
        told(self.sessions().list_sessions(request).await).map(|answer| answer.sessions)
    }

    pub async fn revoke_session(&self, token: &str, session_id: &str) -> Result<(), Failure> {
        let session_id = session_id.to_owned();
        let request = as_admin(token, RevokeSessionRequest { session_id });
        told(self.sessions().revoke_session(request).await).map(drop)
    }

    pub fn registration(&self) -> RegistrationServiceClient<Channel> {
        RegistrationServiceClient::new(self.caller(Peer::Gateway))
    }

    pub fn accounts(&self) -> AccountAdminServiceClient<Channel> {
        AccountAdminServiceClient::new(self.caller(Peer::Gateway))
    }

    /// The access token of a new session.
    pub async fn token(&self, email: &str, password: &str) -> String {
        self.login(email, password).await.unwrap().access_token
    }

    /// The tokens of the links that were mailed to an address, the earliest first.
    pub async fn mailed(&self, db: &TestDb, email: &str) -> Vec<String> {
        let rows: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT envelope FROM outbox ORDER BY created_at")
                .fetch_all(&mut db.connect().await)
                .await
                .unwrap();
        let envelopes = rows.iter().map(|row| Envelope::decode(&row[..]).unwrap());
        let links = envelopes.filter_map(|envelope| match envelope.payload {
            Some(Payload::AdminInvited(mail)) => {
                Some((mail.email, "invitation-link", mail.sealed_link))
            }
            Some(Payload::PasswordResetRequested(mail)) => {
                Some((mail.email, "password-reset-link", mail.sealed_link))
            }
            _ => None,
        });
        let opened =
            links
                .filter(|(to, ..)| to.eq_ignore_ascii_case(email))
                .map(|(_, purpose, sealed)| {
                    let link = self.config.link_seal_key.open(purpose, &sealed).unwrap();
                    let link = String::from_utf8(link).unwrap();
                    let (page, token) = link.split_once('#').unwrap();
                    assert!(
                        page.starts_with("https://tickets.example.org/admin/"),
                        "{page}"
                    );
                    token.to_owned()
                });
        opened.collect()
    }

    /// Somebody whom the founder has invited, and who has come.
    pub async fn admin(&self, db: &TestDb, email: &str, role: Role) -> User {
        let founder = self.token(EMAIL, PASSWORD).await;
        let invite = InviteAdminRequest {
            email: email.to_owned(),
            role: role.into(),
            ..InviteAdminRequest::default()
        };
        told(
            self.accounts()
                .invite_admin(as_admin(&founder, invite))
                .await,
        )
        .unwrap();
        let register = RegisterRequest {
            invitation: self.mailed(db, email).await.pop().unwrap(),
            email: email.to_owned(),
            password: PASSWORD.to_owned(),
            ..RegisterRequest::default()
        };
        let made = told(self.registration().register(register).await).unwrap();
        made.user.unwrap()
    }

    /// An account at once.
    pub async fn create(
        &self,
        token: &str,
        (email, role): (&str, Role),
        password: &str,
    ) -> Result<Account, Failure> {
        let request = CreateAccountRequest {
            email: email.to_owned(),
            role: role.into(),
            password: password.to_owned(),
        };
        let answer = self
            .accounts()
            .create_account(as_admin(token, request))
            .await;
        told(answer).map(|answer| answer.account.unwrap())
    }

    pub fn sessions(&self) -> SessionServiceClient<Channel> {
        SessionServiceClient::new(self.caller(Peer::Gateway))
    }

    pub async fn get_me(&self, token: &str) -> Result<User, Failure> {
        let request = as_admin(token, GetMeRequest {});
        told(self.sessions().get_me(request).await).map(|answer| answer.user.unwrap())
    }

    /// The access token is refused soon, for what it is and for no other reason.
    pub async fn refuses_soon(&self, token: &str) {
        eventually("the token is refused", PATIENCE, || async {
            let refused = self.get_me(token).await.err()?;
            assert_eq!(refused.reason, ErrorReason::Unauthenticated);
            Some(())
        })
        .await;
    }

    /// The session of a refresh token has ended.
    pub async fn is_signed_out(&self, refresh_token: &str) {
        let refused = self.refresh(refresh_token).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::Unauthenticated);
    }

    /// Stops in order; no task may be left.
    pub async fn stop(self) {
        self.shutdown.begin();
        self.serving.await.unwrap().unwrap();
        assert_eq!(self.tasks.in_flight(), 0);
    }
}

/// A call with an access token.
pub fn as_admin<M>(token: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    let header = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", header);
    request
}

pub fn told<A>(answer: Result<tonic::Response<A>, tonic::Status>) -> Result<A, Failure> {
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| Failure::from_status(&status))
}

/// A service with its first account.
pub async fn founded() -> (TestDb, Service) {
    let db = database().await;
    let service = Service::start(config(&db.url)).await;
    service.setup(service.setup_request()).await.unwrap();
    (db, service)
}

/// Who did this to what, as the record has it, the earliest first. Guests are nobody.
pub async fn on_record(db: &TestDb, action: &str) -> Vec<(String, String)> {
    let lines = sqlx::query_as(
        "SELECT actor, object_kind || ' ' || object FROM audit_entries WHERE action = $1
         ORDER BY at, id",
    );
    let lines = lines.bind(action).fetch_all(&mut db.connect().await).await;
    lines.unwrap()
}

/// What must be true whatever a test did: every change is on record, no session is stuck.
pub async fn check_invariants(db: &TestDb) {
    let mut conn = db.connect().await;
    let (unrecorded, silent, founders, keys): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM (SELECT id FROM users UNION ALL SELECT id FROM sessions) o
                 WHERE NOT EXISTS (SELECT FROM audit_log a WHERE a.object_id = o.id)),
                (SELECT count(*) FROM api_keys k WHERE revoked_at IS NOT NULL
                 AND NOT EXISTS (SELECT FROM audit_log a
                                 WHERE a.object_id = k.id AND a.action = 'api_key.revoked')),
                (SELECT count(*) FROM users WHERE founder),
                (SELECT count(*) FROM signing_keys WHERE status = 'current')",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(
        unrecorded, 0,
        "every account and session has its line in the audit log"
    );
    assert_eq!(silent, 0, "every API key that was revoked has its line");
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
