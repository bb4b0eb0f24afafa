//! A small member of the mesh: user-svc's contracts, answered from memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use base::UserId;
use futures::future::BoxFuture;
use kit::{Admin, Bind, Code, ErrorReason, Failure, MeshKey, ServerBuilder, Shutdown, Tasks, VerifyToken};
use proto::{
    Peer,
    user::{
        GetMeRequest, GetMeResponse, ListKeysRequest, ListKeysResponse, LoginRequest, LoginResponse,
        User,
        key_service_server::{KeyService, KeyServiceServer},
        session_service_server::{SessionService, SessionServiceServer},
    },
};
use tokio::{sync::Semaphore, task::JoinHandle};
use tonic::{Request, Response, Status};

pub const GOOD_TOKEN: &str = "good";

/// What the handlers saw, and how the test lets them go on.
#[derive(Default)]
pub struct Seen {
    pub budget: std::sync::Mutex<Option<Duration>>,
    pub trace: std::sync::Mutex<Option<String>>,
    pub started: AtomicU32,
    pub finished: AtomicU32,
}

pub struct Running {
    pub url: String,
    pub mesh: MeshKey,
    pub tasks: Tasks,
    pub seen: Arc<Seen>,
    /// A permit lets one login finish.
    pub gate: Arc<Semaphore>,
    pub shutdown: Shutdown,
    pub serving: JoinHandle<anyhow::Result<()>>,
}

pub async fn start() -> Running {
    let mesh: MeshKey = testkit::keys::mesh_key().parse().unwrap();
    let (tasks, seen, gate) = (Tasks::new(), Arc::new(Seen::default()), Arc::new(Semaphore::new(0)));
    let member = Member { tasks: tasks.clone(), seen: seen.clone(), gate: gate.clone() };
    let (bind, addr) = Bind::loopback().await.unwrap();
    let server = ServerBuilder::new(Peer::User, bind, mesh.clone(), tasks.clone())
        .await
        .unwrap()
        .verify_tokens(Arc::new(OneToken))
        .reflection(true)
        .add_service(KeyServiceServer::new(member.clone()))
        .add_service(SessionServiceServer::new(member))
        .build()
        .await
        .unwrap();
    let shutdown = Shutdown::new();
    let serving = tokio::spawn(server.serve(shutdown.clone()));
    Running { url: format!("http://{addr}"), mesh, tasks, seen, gate, shutdown, serving }
}

struct OneToken;

impl VerifyToken for OneToken {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admin, Failure>> {
        Box::pin(async move {
            if token == GOOD_TOKEN {
                return Ok(Admin { id: UserId::from(uuid::Uuid::max()), superadmin: false });
            }
            Err(Failure::refused(Code::Unauthenticated, ErrorReason::Unauthenticated, "No."))
        })
    }
}

#[derive(Clone)]
struct Member {
    tasks: Tasks,
    seen: Arc<Seen>,
    gate: Arc<Semaphore>,
}

#[tonic::async_trait]
impl KeyService for Member {
    /// Notes the context it runs in, also within a spawned task.
    async fn list_keys(
        &self,
        _: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        let context = self.tasks.spawn(async { kit::current() }).await.unwrap();
        let left = context.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        *self.seen.budget.lock().unwrap() = left;
        *self.seen.trace.lock().unwrap() = context.trace.map(|trace| trace.to_string());
        Ok(Response::new(ListKeysResponse::default()))
    }
}

#[tonic::async_trait]
impl SessionService for Member {
    /// Work that must finish: it waits at the gate within a tracked task.
    async fn login(&self, _: Request<LoginRequest>) -> Result<Response<LoginResponse>, Status> {
        let (seen, gate) = (self.seen.clone(), self.gate.clone());
        let work = async move {
            seen.started.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            seen.finished.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Failure>(LoginResponse::default())
        };
        Ok(Response::new(self.tasks.complete(work).await?))
    }

    async fn get_me(&self, r: Request<GetMeRequest>) -> Result<Response<GetMeResponse>, Status> {
        let id = kit::admin(&r)?.id.to_string();
        Ok(Response::new(GetMeResponse { user: Some(User { id, ..User::default() }) }))
    }
}
