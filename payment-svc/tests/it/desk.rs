//! A payment-svc for admins, on rows that a test writes itself.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use base::{Sources, UserId};
use clap::Parser as _;
use futures::future::BoxFuture;
use kit::{
    Admin, Bind, Code, ErrorReason, Failure, MeshKey, ServerBuilder, Shutdown, Tasks, VerifyToken,
    client,
};
use payment_svc::{Config, MIGRATOR, build_with_verifier};
use proto::{
    Peer,
    payment::{
        insight_admin_service_client::InsightAdminServiceClient,
        order_admin_service_client::OrderAdminServiceClient,
        refund_admin_service_client::RefundAdminServiceClient,
    },
    ticket::{
        CheckGrantRequest, CheckGrantResponse, ListGrantsRequest, ListGrantsResponse,
        grant_service_server::{GrantService, GrantServiceServer},
    },
};
use sqlx::PgPool;
use testkit::{Patient, keys};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::world::Channel;

pub struct Desk {
    pub pool: PgPool,
    pub orders: OrderAdminServiceClient<Channel>,
    pub refunds: RefundAdminServiceClient<Channel>,
    pub insights: InsightAdminServiceClient<Channel>,
    grants: Grants,
}

/// Who is asking.
#[derive(Clone, Copy, Debug)]
pub struct Clerk {
    id: UserId,
    superadmin: bool,
}

impl Clerk {
    /// Sees everything.
    pub fn superadmin() -> Self {
        Self {
            id: UserId::new(&Sources::system()),
            superadmin: true,
        }
    }

    pub fn id(self) -> String {
        self.id.to_string()
    }

    /// May nothing, until something is granted.
    pub fn admin() -> Self {
        Self {
            id: UserId::new(&Sources::system()),
            superadmin: false,
        }
    }

    /// A request with their token.
    pub fn asks<T>(self, message: T) -> Request<T> {
        let role = if self.superadmin {
            "superadmin"
        } else {
            "admin"
        };
        let token = format!("Bearer {role}:{}", self.id);
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", token.parse().unwrap());
        request
    }
}

impl Desk {
    pub async fn open() -> Self {
        testkit::logs();
        let db = testkit::database("payments", &MIGRATOR).await;
        let mesh_key = keys::mesh_key();
        let mesh: MeshKey = mesh_key.parse().unwrap();
        let grants = Grants::default();
        let settings = [
            ("--database-url", db.url.clone()),
            ("--database-max-connections", "4".to_owned()),
            // Nobody is called but for grants.
            ("--nats-url", "nats://127.0.0.1:9".to_owned()),
            ("--notify-svc-url", "http://127.0.0.1:9".to_owned()),
            ("--ticket-svc-url", grants.serve(mesh.clone()).await),
            ("--mesh-key", mesh_key),
            ("--order-keys", keys::key_ring()),
            ("--link-seal-key", keys::mesh_key()),
            ("--public-url", "https://shop.example/".to_owned()),
            (
                "--sandbox-webhook-secret",
                "a secret for webhooks".to_owned(),
            ),
            ("--sandbox-webhook-url", "http://127.0.0.1:9".to_owned()),
        ];
        // Random text may begin with a dash.
        let args = settings.map(|(name, value)| format!("{name}={value}"));
        let config =
            Config::try_parse_from(std::iter::once("payment-svc".to_owned()).chain(args)).unwrap();
        let (bind, addr) = Bind::loopback().await.unwrap();
        let build = build_with_verifier(&config, bind, Sources::system(), Arc::new(Trusting));
        let server = Box::pin(build).await.unwrap();
        tokio::spawn(server.serve(Shutdown::new()));
        let url = format!("http://{addr}");
        let channel = Patient(client::channel(&url, mesh.identity(Peer::Gateway)).unwrap());
        Self {
            pool: db.pool().await,
            orders: OrderAdminServiceClient::new(channel.clone()),
            refunds: RefundAdminServiceClient::new(channel.clone()),
            insights: InsightAdminServiceClient::new(channel),
            grants,
        }
    }

    /// Sees the orders of these events.
    pub fn clerk_of(&self, events: &[Uuid]) -> Clerk {
        let id = UserId::new(&Sources::system());
        let events = events.iter().map(Uuid::to_string).collect();
        self.grants.0.lock().unwrap().insert(id.to_string(), events);
        Clerk {
            id,
            superadmin: false,
        }
    }
}

/// Who may see which event, as ticket-svc would answer.
#[derive(Clone, Default)]
struct Grants(Arc<Mutex<HashMap<String, HashSet<String>>>>);

impl Grants {
    async fn serve(&self, mesh: MeshKey) -> String {
        let (bind, addr) = Bind::loopback().await.unwrap();
        let builder = ServerBuilder::new(Peer::Ticket, bind, mesh, Tasks::new());
        let service = GrantServiceServer::new(self.clone());
        let server = builder.await.unwrap().add_service(service).build();
        tokio::spawn(server.await.unwrap().serve(Shutdown::new()));
        format!("http://{addr}")
    }

    fn of(&self, user: &str) -> HashSet<String> {
        self.0
            .lock()
            .unwrap()
            .get(user)
            .cloned()
            .unwrap_or_default()
    }
}

#[tonic::async_trait]
impl GrantService for Grants {
    async fn check_grant(
        &self,
        r: Request<CheckGrantRequest>,
    ) -> Result<Response<CheckGrantResponse>, Status> {
        let CheckGrantRequest { user_id, event_id } = r.into_inner();
        let granted = self.of(&user_id).contains(&event_id);
        Ok(Response::new(crate::inventory::whole(granted)))
    }

    async fn list_grants(
        &self,
        r: Request<ListGrantsRequest>,
    ) -> Result<Response<ListGrantsResponse>, Status> {
        let event_ids = self.of(&r.into_inner().user_id).into_iter().collect();
        Ok(Response::new(ListGrantsResponse { event_ids }))
    }
}

/// Believes tokens of the form `admin:<id>` and `superadmin:<id>`.
pub struct Trusting;

impl VerifyToken for Trusting {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admin, Failure>> {
        Box::pin(async move {
            let (role, id) = token.split_once(':').unwrap_or_default();
            let id = id.parse().map_err(|_| {
                let reason = ErrorReason::Unauthenticated;
                Failure::refused(Code::Unauthenticated, reason, "no token")
            })?;
            Ok(Admin::new(id, role == "superadmin"))
        })
    }
}
