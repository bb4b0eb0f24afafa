//! A gateway on a free port in front of one stub that stands for all four services.

use std::{
    io,
    sync::{Arc, Mutex, Once},
};

use base::Sources;
use futures::future::BoxFuture;
use gateway::Config;
use kit::{
    Admin, Bind, Code, ErrorReason, Failure, MeshKey, ServerBuilder, Shutdown, Tasks, VerifyToken,
};
use proto::{
    Peer,
    audit::audit_service_server::AuditServiceServer,
    notify::{
        delivery_service_server::DeliveryServiceServer,
        document_service_server::DocumentServiceServer,
        notification_admin_service_server::NotificationAdminServiceServer,
        template_admin_service_server::TemplateAdminServiceServer,
    },
    payment::{
        desk_service_server::DeskServiceServer,
        order_admin_service_server::OrderAdminServiceServer,
        order_service_server::OrderServiceServer,
        provider_event_service_server::ProviderEventServiceServer,
        refund_admin_service_server::RefundAdminServiceServer,
        sandbox_service_server::SandboxServiceServer,
    },
    status::status_service_server::StatusServiceServer,
    ticket::{
        catalog_admin_service_server::CatalogAdminServiceServer,
        catalog_service_server::CatalogServiceServer, change_service_server::ChangeServiceServer,
        grant_admin_service_server::GrantAdminServiceServer,
        hold_batch_service_server::HoldBatchServiceServer, hold_service_server::HoldServiceServer,
        pool_audit_service_server::PoolAuditServiceServer,
        ticket_code_service_server::TicketCodeServiceServer,
    },
    user::{
        account_admin_service_server::AccountAdminServiceServer,
        account_check_service_server::AccountCheckServiceServer,
        api_key_service_server::ApiKeyServiceServer, key_service_server::KeyServiceServer,
        registration_service_server::RegistrationServiceServer,
        second_factor_service_server::SecondFactorServiceServer,
        session_service_server::SessionServiceServer, setup_service_server::SetupServiceServer,
    },
};
use reqwest::{Client, Method, RequestBuilder, Response, redirect::Policy};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::stub::Stub;

pub const KEY: &str = "0123456789abcdef0123456789abcdef";

pub struct Edge {
    pub url: String,
    pub http: Client,
    pub stub: Arc<Stub>,
    gateway_tasks: Tasks,
    shutdown: Shutdown,
    servers: Vec<JoinHandle<anyhow::Result<()>>>,
}

/// Runs a test against a gateway with default settings.
pub async fn edge(test: impl AsyncFnOnce(&Edge)) {
    edge_with(|_| {}, test).await;
}

/// Runs a test against a gateway with settings of its own, and checks at the end that it stops and
/// leaves no task.
pub async fn edge_with(change: impl FnOnce(&mut Config), test: impl AsyncFnOnce(&Edge)) {
    let edge = Edge::start(change).await;
    test(&edge).await;
    edge.shutdown.begin();
    for server in edge.servers {
        server.await.unwrap().unwrap();
    }
    assert_eq!(
        edge.gateway_tasks.in_flight(),
        0,
        "the gateway left work behind"
    );
}

impl Edge {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        keep_logs();
        let mesh_key = testkit::keys::mesh_key();
        let stub = Arc::new(Stub::default());
        let upstream = upstream(stub.clone(), mesh_key.parse().unwrap()).await;
        let upstream_url = format!("http://{}", upstream.addr());

        let (bind, addr) = Bind::loopback().await.unwrap();
        let url = format!("http://{addr}");
        let mut config = <Config as clap::Parser>::parse_from([
            "gateway",
            &format!("--public-url={url}"),
            &format!("--mesh-key={mesh_key}"),
            &format!("--user-svc-url={upstream_url}"),
            &format!("--ticket-svc-url={upstream_url}"),
            &format!("--payment-svc-url={upstream_url}"),
            &format!("--notify-svc-url={upstream_url}"),
        ]);
        change(&mut config);
        let gateway = gateway::build(&config, bind, Sources::system())
            .await
            .unwrap();

        let (shutdown, gateway_tasks) = (Shutdown::new(), gateway.tasks().clone());
        let servers = vec![
            tokio::spawn(gateway.serve(shutdown.clone())),
            tokio::spawn(upstream.serve(shutdown.clone())),
        ];
        let http = Client::builder()
            .redirect(Policy::none())
            // An open idle connection would only lengthen the drain.
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self {
            url,
            http,
            stub,
            gateway_tasks,
            shutdown,
            servers,
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub fn begin_shutdown(&self) {
        self.shutdown.begin();
    }

    pub fn gateway_tasks(&self) -> &Tasks {
        &self.gateway_tasks
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A guest's POST with a good key.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
            .header("idempotency-key", KEY)
    }

    pub async fn page(&self, path: &str) -> String {
        let response = self
            .get(path)
            .header("accept", "text/html")
            .send()
            .await
            .unwrap();
        response.text().await.unwrap()
    }
}

/// The problem of a refused request, after what all problems have in common was checked.
pub async fn problem(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let kind = header(&response, "content-type");
    let trace_id = header(&response, "x-request-id");
    let retry_after = response.headers().contains_key("retry-after");
    let text = response.text().await.unwrap();
    assert_eq!(kind, "application/problem+json", "{status} {text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    let reason = problem["reason"].as_str().unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["trace_id"], trace_id.as_str());
    assert!(
        problem["type"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/errors/{reason}"))
    );
    assert!(!problem["title"].as_str().unwrap().is_empty());
    assert_eq!(retry_after, matches!(status, 429 | 503), "{reason}");
    problem
}

/// Status, reason, and the first field with a problem.
pub async fn refusal(request: RequestBuilder) -> (u64, String, Option<String>) {
    let problem = problem(request).await;
    let field = problem["errors"][0]["field"].as_str().map(str::to_owned);
    (
        problem["status"].as_u64().unwrap(),
        problem["reason"].as_str().unwrap().to_owned(),
        field,
    )
}

pub fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

/// Accepts one token.
struct OneToken;

impl VerifyToken for OneToken {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admin, Failure>> {
        Box::pin(async move {
            if token == "good" {
                let id = "0190b6a2-7c1e-7000-8000-000000000009".parse().unwrap();
                return Ok(Admin::new(id, true));
            }
            let (code, reason) = (Code::Unauthenticated, ErrorReason::Unauthenticated);
            Err(Failure::refused(code, reason, "The token is not valid."))
        })
    }
}

async fn upstream(stub: Arc<Stub>, mesh_key: MeshKey) -> kit::Server {
    let (bind, _) = Bind::loopback().await.unwrap();
    ServerBuilder::new(Peer::Ticket, bind, mesh_key, Tasks::new())
        .await
        .unwrap()
        .verify_tokens(Arc::new(OneToken))
        .add_service(SetupServiceServer::from_arc(stub.clone()))
        .add_service(SessionServiceServer::from_arc(stub.clone()))
        .add_service(SecondFactorServiceServer::from_arc(stub.clone()))
        .add_service(ApiKeyServiceServer::from_arc(stub.clone()))
        .add_service(RegistrationServiceServer::from_arc(stub.clone()))
        .add_service(AccountAdminServiceServer::from_arc(stub.clone()))
        .add_service(AccountCheckServiceServer::from_arc(stub.clone()))
        .add_service(KeyServiceServer::from_arc(stub.clone()))
        .add_service(CatalogServiceServer::from_arc(stub.clone()))
        .add_service(CatalogAdminServiceServer::from_arc(stub.clone()))
        .add_service(ChangeServiceServer::from_arc(stub.clone()))
        .add_service(HoldServiceServer::from_arc(stub.clone()))
        .add_service(HoldBatchServiceServer::from_arc(stub.clone()))
        .add_service(AuditServiceServer::from_arc(stub.clone()))
        .add_service(StatusServiceServer::from_arc(stub.clone()))
        .add_service(GrantAdminServiceServer::from_arc(stub.clone()))
        .add_service(PoolAuditServiceServer::from_arc(stub.clone()))
        .add_service(TicketCodeServiceServer::from_arc(stub.clone()))
        .add_service(OrderServiceServer::from_arc(stub.clone()))
        .add_service(DeskServiceServer::from_arc(stub.clone()))
        .add_service(OrderAdminServiceServer::from_arc(stub.clone()))
        .add_service(RefundAdminServiceServer::from_arc(stub.clone()))
        .add_service(ProviderEventServiceServer::from_arc(stub.clone()))
        .add_service(SandboxServiceServer::from_arc(stub.clone()))
        .add_service(DeliveryServiceServer::from_arc(stub.clone()))
        .add_service(NotificationAdminServiceServer::from_arc(stub.clone()))
        .add_service(TemplateAdminServiceServer::from_arc(stub.clone()))
        .add_service(DocumentServiceServer::from_arc(stub))
        .build()
        .await
        .unwrap()
}

/// What the gateways of all tests of this process have logged so far.
pub fn logged() -> String {
    String::from_utf8(LOGGED.lock().unwrap().clone()).unwrap()
}

static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One subscriber for the process: with one per thread, what one test switches off stays off for
/// another.
fn keep_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter("info,gateway=trace,kit=trace")
            .with_ansi(false)
            .with_writer(|| Log)
            .init();
    });
}
