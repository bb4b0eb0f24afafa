//! A gRPC server of the mesh: health, reflection, access rules, and an end that waits for its work.

use std::{io, net::SocketAddr, sync::Arc};

use base::UserId;
use futures::{FutureExt as _, future::BoxFuture};
use listen::{Limits, Listener, RequestBody};
use process::{Check, Readiness, Reasons};
use proto::{Grant, Peer, Scopes};
use tokio::net::TcpListener;
use tonic::{
    Request,
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tower::{Service, ServiceBuilder};
use uuid::Uuid;

use crate::{Admission, Bind, Code, ErrorReason, Failure, Shutdown, Tasks, Trust};

mod access;
mod guard;
mod observe;

/// Calls that run at once where a service sets no other bound.
const CALLS_MAX: usize = 1024;
/// Where certificates say who calls, whoever reaches the port may begin a handshake. A member opens two
/// connections to each other one, and two more while the old ones end, so this is room for sixteen members
/// behind one address.
const HANDSHAKES_PER_ADDRESS_MAX: usize = 64;

const HEALTH_SERVICE: &str = "grpc.health.v1.Health";

/// The account that a verified access token speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin {
    pub id: UserId,
    pub superadmin: bool,
    /// The session of the token, where it has one.
    pub session: Option<Uuid>,
    /// What the token may be used for.
    pub scopes: Scopes,
}

impl Admin {
    pub fn new(id: UserId, superadmin: bool) -> Self {
        Self {
            id,
            superadmin,
            session: None,
            scopes: Scopes::ALL,
        }
    }

    pub fn in_session(self, session: Uuid) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// Of a key: it may do less than its account.
    pub fn within(self, scopes: Scopes) -> Self {
        Self { scopes, ..self }
    }
}

/// What the contract asks of the admin who calls.
#[derive(Clone, Copy, Debug)]
struct Grants(&'static [Grant]);

/// The grants of which the admin needs one on the event that the call is about. The access rules put
/// them there; a method that is about no event has none, and then none is enough.
pub fn grants<T>(request: &Request<T>) -> &'static [Grant] {
    let grants = request.extensions().get::<Grants>();
    grants.map_or(&[], |grants| grants.0)
}

/// Verifies access tokens. The crate `auth` does; `kit` only asks.
pub trait VerifyToken: Send + Sync + 'static {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admin, Failure>>;

    /// Keeps itself current in the background, until the tasks end. One that need not does nothing.
    fn follow(self: Arc<Self>, _tasks: &Tasks) {}
}

/// The admin whose token came with the call. The access rules put it there before the handler.
pub fn admin<T>(request: &Request<T>) -> Result<Admin, Failure> {
    request.extensions().get::<Admin>().copied().ok_or_else(|| {
        Failure::refused(
            Code::Unauthenticated,
            ErrorReason::Unauthenticated,
            "Sign in first.",
        )
    })
}

/// Collects what a server needs.
pub struct ServerBuilder {
    peer: Peer,
    listener: TcpListener,
    trust: Trust,
    verifier: Option<Arc<dyn VerifyToken>>,
    reflection: bool,
    routes: RoutesBuilder,
    services: Vec<&'static str>,
    checks: Vec<Check>,
    calls_max: usize,
    limits: Limits,
    closing: Shutdown,
    tasks: Tasks,
}

impl ServerBuilder {
    /// Binds.
    ///
    /// # Errors
    /// If the address is taken, or if other machines reach it and callers are known by the key, which
    /// they would send in the clear.
    pub async fn new(
        peer: Peer,
        bind: Bind,
        trust: impl Into<Trust>,
        tasks: Tasks,
    ) -> io::Result<Self> {
        let (listener, trust) = (bind.listen().await?, trust.into());
        let addr = listener.local_addr()?;
        if matches!(trust, Trust::Key(_)) && !addr.ip().is_loopback() {
            let why =
                format!("other machines reach {addr}: that takes certificates (MESH_CERTS_DIR)");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(Self {
            peer,
            listener,
            trust,
            verifier: None,
            reflection: false,
            routes: Routes::builder(),
            services: Vec::new(),
            checks: Vec::new(),
            calls_max: CALLS_MAX,
            limits: Limits::internal(),
            closing: Shutdown::new(),
            tasks,
        })
    }

    /// Begins when the server begins to drain: answers of many messages end by it.
    pub fn closing(mut self, closing: Shutdown) -> Self {
        self.closing = closing;
        self
    }

    /// Without a verifier every method for admins answers `UNAUTHENTICATED`.
    pub fn verify_tokens(mut self, verifier: Arc<dyn VerifyToken>) -> Self {
        verifier.clone().follow(&self.tasks);
        self.verifier = Some(verifier);
        self
    }

    /// Lets grpcurl list and describe the services.
    pub fn reflection(mut self, on: bool) -> Self {
        self.reflection = on;
        self
    }

    /// So many calls run at once; more wait shortly, then are refused as `OVERLOADED`.
    pub fn limit(mut self, calls_max: usize) -> Self {
        self.calls_max = calls_max;
        self
    }

    /// How connections are treated.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Something without which the service cannot work. It is asked every second and must answer
    /// within one; `name` is told to whoever asks for the health.
    pub fn ready_check<F, R, E>(mut self, name: &'static str, ask: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error> + 'static,
    {
        let ask = Box::new(move || ask().map(|answer| answer.map_err(Into::into)).boxed());
        self.checks.push(Check { name, ask });
        self
    }

    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Error = std::convert::Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.services.push(S::NAME);
        self.routes.add_service(service);
        self
    }

    pub async fn build(mut self) -> anyhow::Result<Server> {
        let (health, health_service) = tonic_health::server::health_reporter();
        self.routes.add_service(health_service);
        if self.reflection {
            self.routes.add_service(self.described().build_v1()?);
            // Older tools still ask for this version.
            self.routes.add_service(self.described().build_v1alpha()?);
        }
        let reasons = Reasons::default();
        let admission = Admission::new(self.calls_max);
        let readiness = Readiness {
            services: self.services,
            checks: self.checks,
            health,
            reasons: reasons.clone(),
        };
        readiness.begin().await;
        let addr = self.listener.local_addr()?;
        let (listener, limits) = match self.trust.tls() {
            None => (self.listener.into(), self.limits),
            Some(tls) => {
                let limits = self.limits;
                let limits = limits.at_most_from_one_address(HANDSHAKES_PER_ADDRESS_MAX);
                (Listener::with_tls(self.listener, tls), limits)
            }
        };
        Ok(Server {
            peer: self.peer,
            addr,
            listener,
            limits,
            access: access::AccessLayer::new(self.peer, self.trust, self.verifier),
            guard: guard::GuardLayer { admission, reasons },
            routes: self.routes.routes().prepare(),
            readiness,
            closing: self.closing,
            tasks: self.tasks,
        })
    }
}

impl ServerBuilder {
    /// All messages of the contracts, but only the services that are served here.
    fn described(&self) -> tonic_reflection::server::Builder<'static> {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .with_service_name(HEALTH_SERVICE);
        self.services
            .iter()
            .fold(builder, |builder, name| builder.with_service_name(*name))
    }
}

/// A server that is bound and not yet serving.
pub struct Server {
    peer: Peer,
    addr: SocketAddr,
    listener: Listener,
    limits: Limits,
    access: access::AccessLayer,
    guard: guard::GuardLayer,
    routes: Routes,
    readiness: Readiness,
    closing: Shutdown,
    tasks: Tasks,
}

impl Server {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Serves until the shutdown, then says it is not serving, drains the open calls, ends the
    /// jobs and waits for every task.
    pub async fn serve(self, shutdown: Shutdown) -> anyhow::Result<()> {
        tracing::info!(service = self.peer.name(), addr = %self.addr, "serving");
        let calls = ServiceBuilder::new()
            .map_request(|request: http::Request<RequestBody>| request.map(Body::new))
            .layer(self.access)
            .layer(self.guard)
            .service(self.routes);
        let reasons = self.readiness.reasons.clone();
        let _counted = telemetry::ready_when(move || reasons.are_none());
        let serving = listen::serve(self.listener, self.limits, calls, shutdown.token());
        let closing = async {
            shutdown.begun().await;
            self.closing.begin();
        };
        tokio::join!(serving, self.readiness.watch(&shutdown), closing);
        self.tasks.finish().await;
        tracing::info!(service = self.peer.name(), "stopped");
        Ok(())
    }
}
