//! A gRPC server of the mesh: health, reflection, access rules, and an end that waits for its work.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base::UserId;
use futures::future::BoxFuture;
use proto::Peer;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request,
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tower::Service;

use crate::{Bind, Code, ErrorReason, Failure, MeshKey, Shutdown, Tasks};

mod access;

const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const CONNECTION_WINDOW_BYTES: u32 = 64 * 1024 * 1024;
/// How long open calls may go on after the shutdown began.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

const HEALTH_SERVICE: &str = "grpc.health.v1.Health";

/// The account that a verified access token speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin {
    pub id: UserId,
    pub superadmin: bool,
}

/// Verifies access tokens. The crate `auth` does; `kit` only asks.
pub trait VerifyToken: Send + Sync + 'static {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admin, Failure>>;
}

/// The admin whose token came with the call. The access rules put it there before the handler.
pub fn admin<T>(request: &Request<T>) -> Result<Admin, Failure> {
    request.extensions().get::<Admin>().copied().ok_or_else(|| {
        Failure::refused(Code::Unauthenticated, ErrorReason::Unauthenticated, "Sign in first.")
    })
}

/// Collects what a server needs.
pub struct ServerBuilder {
    peer: Peer,
    listener: TcpListener,
    mesh: MeshKey,
    verifier: Option<Arc<dyn VerifyToken>>,
    reflection: bool,
    routes: RoutesBuilder,
    services: Vec<&'static str>,
    tasks: Tasks,
}

impl ServerBuilder {
    pub async fn new(peer: Peer, bind: Bind, mesh: MeshKey, tasks: Tasks) -> std::io::Result<Self> {
        Ok(Self {
            peer,
            listener: bind.listen().await?,
            mesh,
            verifier: None,
            reflection: false,
            routes: Routes::builder(),
            services: Vec::new(),
            tasks,
        })
    }

    /// Without a verifier every method for admins answers `UNAUTHENTICATED`.
    pub fn verify_tokens(mut self, verifier: Arc<dyn VerifyToken>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Lets grpcurl list and describe the services.
    pub fn reflection(mut self, on: bool) -> Self {
        self.reflection = on;
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
        for service in &self.services {
            health.set_service_status(*service, tonic_health::ServingStatus::Serving).await;
        }
        self.routes.add_service(health_service);
        if self.reflection {
            self.routes.add_service(self.described().build_v1()?);
            // Older tools still ask for this version.
            self.routes.add_service(self.described().build_v1alpha()?);
        }
        Ok(Server {
            peer: self.peer,
            addr: self.listener.local_addr()?,
            listener: self.listener,
            access: access::AccessLayer::new(self.mesh, self.verifier),
            routes: self.routes.routes(),
            services: self.services,
            health,
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
        self.services.iter().fold(builder, |builder, name| builder.with_service_name(*name))
    }
}

/// A server that is bound and not yet serving.
pub struct Server {
    peer: Peer,
    addr: SocketAddr,
    listener: TcpListener,
    access: access::AccessLayer,
    routes: Routes,
    services: Vec<&'static str>,
    health: tonic_health::server::HealthReporter,
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
        let (health, services) = (self.health, self.services);
        let drain = shutdown.clone();
        let stop_taking_calls = async move {
            drain.begun().await;
            for service in services {
                health.set_service_status(service, tonic_health::ServingStatus::NotServing).await;
            }
        };
        let incoming = TcpListenerStream::new(self.listener);
        let serving = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .tcp_nodelay(true)
            .layer(self.access)
            .add_routes(self.routes)
            .serve_with_incoming_shutdown(incoming, stop_taking_calls);
        let hard_stop = async {
            shutdown.begun().await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        let served = tokio::select! {
            served = serving => served,
            () = hard_stop => Ok(()),
        };
        self.tasks.finish().await;
        tracing::info!(service = self.peer.name(), "stopped");
        Ok(served?)
    }
}
