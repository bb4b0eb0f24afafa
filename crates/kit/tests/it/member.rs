//! A small member of the mesh: user-svc's contracts, answered from memory.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use base::UserId;
use futures::{future::BoxFuture, stream::Empty};
use kit::{
    Admin, Bind, Code, ErrorReason, Failure, Limits, MeshKey, MeshSettings, ServerBuilder,
    Shutdown, Tasks, VerifyToken,
};
use proto::{
    Peer,
    user::{
        ChangePasswordRequest, ChangePasswordResponse, GetMeRequest, GetMeResponse,
        ListKeysRequest, ListKeysResponse, ListSessionsRequest, ListSessionsResponse, LoginRequest,
        LoginResponse, LogoutRequest, LogoutResponse, RefreshRequest, RefreshResponse,
        RevokeSessionRequest, RevokeSessionResponse, User, WatchKeysRequest, WatchKeysResponse,
        key_service_server::{KeyService, KeyServiceServer},
        session_service_server::{SessionService, SessionServiceServer},
    },
};
use tokio::{sync::Semaphore, task::JoinHandle};
use tonic::{Request, Response, Status};

pub const GOOD_TOKEN: &str = "good";
/// Whoever signs in with this address makes the handler panic.
pub const PANICKING: &str = "panics@example.org";
/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a member differs from the usual one.
#[derive(Clone)]
pub struct Options {
    pub limits: Limits,
    pub calls_max: usize,
    pub list_keys_takes: Duration,
    pub get_me_takes: Duration,
    /// Callers are known by certificates; this is the member's own.
    pub certs_dir: Option<PathBuf>,
    /// One of its own where none is given.
    pub mesh: Option<MeshKey>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::internal(),
            calls_max: 1000,
            list_keys_takes: Duration::ZERO,
            get_me_takes: Duration::ZERO,
            certs_dir: None,
            mesh: None,
        }
    }
}

/// What the handlers saw, and how the test lets them go on.
#[derive(Default)]
pub struct Seen {
    pub budget: std::sync::Mutex<Option<Duration>>,
    pub trace: std::sync::Mutex<Option<String>>,
    pub keys_started: AtomicU32,
    pub started: AtomicU32,
    pub finished: AtomicU32,
    /// Handlers that came to their end, not only their work.
    pub answered: AtomicU32,
}

pub struct Running {
    pub url: String,
    pub mesh: MeshKey,
    pub tasks: Tasks,
    pub seen: Arc<Seen>,
    /// A permit lets one login finish.
    pub gate: Arc<Semaphore>,
    /// What the member depends on.
    pub database: Arc<AtomicBool>,
    pub shutdown: Shutdown,
    pub serving: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub async fn stop(self) {
        self.shutdown.begin();
        tokio::time::timeout(PATIENCE, self.serving)
            .await
            .expect("it stops")
            .unwrap()
            .unwrap();
        assert_eq!(self.tasks.in_flight(), 0);
    }
}

pub async fn start() -> Running {
    start_with(Options::default()).await
}

pub async fn start_with(options: Options) -> Running {
    let own_key = || testkit::keys::mesh_key().parse().unwrap();
    let mesh: MeshKey = options.mesh.clone().unwrap_or_else(own_key);
    let (tasks, seen, gate) = (
        Tasks::new(),
        Arc::new(Seen::default()),
        Arc::new(Semaphore::new(0)),
    );
    let database = Arc::new(AtomicBool::new(true));
    let asked = database.clone();
    let member = Member {
        tasks: tasks.clone(),
        seen: seen.clone(),
        gate: gate.clone(),
        options: options.clone(),
    };
    let (bind, addr) = Bind::loopback().await.unwrap();
    let scheme = match &options.certs_dir {
        None => "http",
        Some(_) => "https",
    };
    let settings = MeshSettings {
        key: Some(mesh.clone()),
        certs_dir: options.certs_dir,
    };
    let own = settings.open(Peer::User).unwrap();
    let server = ServerBuilder::new(Peer::User, bind, own, tasks.clone())
        .await
        .unwrap()
        .verify_tokens(Arc::new(OneToken))
        .reflection(true)
        .limits(options.limits)
        .limit(options.calls_max)
        .ready_check("database", move || {
            let answers = asked.load(Ordering::SeqCst);
            async move {
                if answers {
                    Ok(())
                } else {
                    Err(anyhow::anyhow!("it is gone"))
                }
            }
        })
        .add_service(KeyServiceServer::new(member.clone()))
        .add_service(SessionServiceServer::new(member))
        .build()
        .await
        .unwrap();
    let shutdown = Shutdown::new();
    let serving = tokio::spawn(server.serve(shutdown.clone()));
    Running {
        url: format!("{scheme}://{addr}"),
        mesh,
        tasks,
        seen,
        gate,
        database,
        shutdown,
        serving,
    }
}

pub struct OneToken;

impl VerifyToken for OneToken {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admin, Failure>> {
        Box::pin(async move {
            if token == GOOD_TOKEN {
                return Ok(Admin::new(UserId::from(uuid::Uuid::max()), false));
            }
            Err(Failure::refused(
                Code::Unauthenticated,
                ErrorReason::Unauthenticated,
                "No.",
            ))
        })
    }
}

#[derive(Clone)]
struct Member {
    tasks: Tasks,
    seen: Arc<Seen>,
    gate: Arc<Semaphore>,
    options: Options,
}

#[tonic::async_trait]
impl KeyService for Member {
    /// Notes the context it runs in, also within a spawned task.
    async fn list_keys(
        &self,
        _: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        self.seen.keys_started.fetch_add(1, Ordering::SeqCst);
        // Sleeps: the member is as slow as the test wants.
        tokio::time::sleep(self.options.list_keys_takes).await;
        let context = self.tasks.spawn(async { kit::current() }).await.unwrap();
        let left = context
            .deadline
            .map(|at| at.saturating_duration_since(Instant::now()));
        *self.seen.budget.lock().unwrap() = left;
        *self.seen.trace.lock().unwrap() = context.trace.map(|trace| trace.to_string());
        Ok(Response::new(ListKeysResponse::default()))
    }

    type WatchKeysStream = Empty<Result<WatchKeysResponse, Status>>;

    async fn watch_keys(
        &self,
        _: Request<WatchKeysRequest>,
    ) -> Result<Response<Self::WatchKeysStream>, Status> {
        Ok(Response::new(futures::stream::empty()))
    }
}

/// No test here asks for it.
fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Failure::not_found("method").into())
}

#[tonic::async_trait]
impl SessionService for Member {
    /// Work that must finish: it waits at the gate within a tracked task.
    async fn login(&self, r: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        assert_ne!(r.get_ref().email, PANICKING, "a private detail");
        let (seen, gate) = (self.seen.clone(), self.gate.clone());
        let work = async move {
            seen.started.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            seen.finished.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Failure>(LoginResponse::default())
        };
        let done = self.tasks.complete(work).await?;
        self.seen.answered.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(done))
    }

    async fn get_me(&self, r: Request<GetMeRequest>) -> Result<Response<GetMeResponse>, Status> {
        let id = kit::admin(&r)?.id.to_string();
        // Sleeps: the member is as slow as the test wants.
        tokio::time::sleep(self.options.get_me_takes).await;
        Ok(Response::new(GetMeResponse {
            user: Some(User {
                id,
                ..User::default()
            }),
            ..GetMeResponse::default()
        }))
    }

    async fn refresh(
        &self,
        _: Request<RefreshRequest>,
    ) -> Result<Response<RefreshResponse>, Status> {
        not_here()
    }

    async fn logout(&self, _: Request<LogoutRequest>) -> Result<Response<LogoutResponse>, Status> {
        not_here()
    }

    async fn list_sessions(
        &self,
        _: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        not_here()
    }

    async fn change_password(
        &self,
        _: Request<ChangePasswordRequest>,
    ) -> Result<Response<ChangePasswordResponse>, Status> {
        not_here()
    }

    async fn revoke_session(
        &self,
        _: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionResponse>, Status> {
        not_here()
    }
}
