//! A running ticket-svc, and what tests say to it again and again.

use std::sync::Arc;

use base::{Currency, EventId, OrderId, RefundId, Sources, TicketTypeId, UserId};
use clap::Parser as _;
use futures::future::BoxFuture;
use kit::{
    Admin, Bind, Code, ErrorReason, Failure, MeshKey, Shutdown, VerifyToken, client::MeshChannel,
};
use proto::{
    Peer, common,
    ticket::{
        self as api, catalog_admin_service_client::CatalogAdminServiceClient,
        catalog_service_client::CatalogServiceClient, change_service_client::ChangeServiceClient,
        grant_service_client::GrantServiceClient, hold_service_client::HoldServiceClient,
        inventory_service_client::InventoryServiceClient,
        pool_audit_service_client::PoolAuditServiceClient,
        ticket_code_service_client::TicketCodeServiceClient,
    },
};
use sqlx::PgPool;
use testkit::{FaultProxy, Patient, TestDb, keys};
use time::{Duration, OffsetDateTime};
use tokio::task::JoinHandle;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::invariants::check_invariants;

/// Comes again where it is told to.
pub type Channel = Patient<MeshChannel>;

pub struct Shop {
    pub catalog: CatalogServiceClient<Channel>,
    pub admin: CatalogAdminServiceClient<Channel>,
    pub holds: HoldServiceClient<Channel>,
    pub inventory: InventoryServiceClient<Channel>,
    /// As the gateway, which may not call it.
    pub inventory_of_gateway: InventoryServiceClient<Channel>,
    pub changes: ChangeServiceClient<Channel>,
    pub grants: GrantServiceClient<Channel>,
    pub audit: PoolAuditServiceClient<Channel>,
    pub codes: TicketCodeServiceClient<Channel>,
    pub database_url: String,
    pub url: String,
    pub mesh: MeshKey,
    pub db: PgPool,
    pub sources: Sources,
    pub owner: UserId,
    /// The setting.
    pub ticket_code_keys: String,
    config: ticket_svc::Config,
    shutdown: Shutdown,
    server: JoinHandle<anyhow::Result<()>>,
}

/// Believes tokens of the form `admin:<id>` and `superadmin:<id>`.
pub struct Trusting;

impl VerifyToken for Trusting {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admin, Failure>> {
        Box::pin(async move {
            let (role, id) = token.split_once(':').unwrap_or_default();
            let id: UserId = id.parse().map_err(|_| {
                Failure::refused(
                    Code::Unauthenticated,
                    ErrorReason::Unauthenticated,
                    "no token",
                )
            })?;
            Ok(Admin::new(id, role == "superadmin"))
        })
    }
}

pub fn config(database_url: &str, mesh_key: &str, ticket_code_keys: &str) -> ticket_svc::Config {
    ticket_svc::Config::parse_from([
        "ticket-svc",
        "--database-url",
        database_url,
        "--mesh-key",
        mesh_key,
        "--hold-keys",
        &keys::key_ring(),
        "--ticket-code-keys",
        ticket_code_keys,
    ])
}

impl Shop {
    pub async fn open() -> Self {
        let db = testkit::database("tickets", &ticket_svc::MIGRATOR).await;
        let url = db.url.clone();
        Self::open_on(db, &url).await
    }

    /// With a wire to the database that can be cut.
    pub async fn open_behind_a_proxy() -> (Self, FaultProxy) {
        let db = testkit::database("tickets", &ticket_svc::MIGRATOR).await;
        let proxy = FaultProxy::before(&db.url).await;
        (Self::open_on(db, proxy.url()).await, proxy)
    }

    async fn open_on(db: TestDb, database_url: &str) -> Self {
        testkit::logs();
        let mesh_text = keys::mesh_key();
        let ticket_code_keys = keys::key_ring();
        let config = config(database_url, &mesh_text, &ticket_code_keys);
        let mesh: MeshKey = mesh_text.parse().unwrap();
        let (bind, addr) = Bind::loopback().await.unwrap();
        let sources = Sources::system();
        let server =
            ticket_svc::build_with_verifier(&config, bind, sources.clone(), Arc::new(Trusting))
                .await
                .unwrap();
        let shutdown = Shutdown::new();
        let server = tokio::spawn(server.serve(shutdown.clone()));
        let url = format!("http://{addr}");
        let channel = |peer| Patient(kit::client::channel(&url, mesh.identity(peer)).unwrap());
        Self {
            catalog: CatalogServiceClient::new(channel(Peer::Gateway)),
            admin: CatalogAdminServiceClient::new(channel(Peer::Gateway)),
            holds: HoldServiceClient::new(channel(Peer::Gateway)),
            inventory: InventoryServiceClient::new(channel(Peer::Payment)),
            inventory_of_gateway: InventoryServiceClient::new(channel(Peer::Gateway)),
            changes: ChangeServiceClient::new(channel(Peer::Payment)),
            grants: GrantServiceClient::new(channel(Peer::Payment)),
            audit: PoolAuditServiceClient::new(channel(Peer::Gateway)),
            codes: TicketCodeServiceClient::new(channel(Peer::Gateway)),
            database_url: db.url.clone(),
            db: db.pool().await,
            owner: UserId::new(&sources),
            ticket_code_keys,
            config,
            url,
            mesh,
            sources,
            shutdown,
            server,
        }
    }

    /// Another ticket-svc on the same database, with the same keys.
    pub async fn replica(&self) -> Replica {
        self.replica_with(|_| ()).await
    }

    /// The same with settings of its own.
    pub async fn replica_with(&self, change: impl FnOnce(&mut ticket_svc::Config)) -> Replica {
        let mut config = self.config.clone();
        change(&mut config);
        self.start_replica(config, self.sources.clone()).await
    }

    /// The same whose clock says another time.
    pub async fn replica_at(&self, now: OffsetDateTime) -> Replica {
        let sources = Sources::new(base::ManualClock::new(now), base::SystemRandom);
        self.start_replica(self.config.clone(), sources).await
    }

    async fn start_replica(&self, config: ticket_svc::Config, sources: Sources) -> Replica {
        let (bind, addr) = Bind::loopback().await.unwrap();
        let server = ticket_svc::build_with_verifier(&config, bind, sources, Arc::new(Trusting));
        let server = Box::pin(server);
        let shutdown = Shutdown::new();
        let server = tokio::spawn(server.await.unwrap().serve(shutdown.clone()));
        let url = format!("http://{addr}");
        let channel = |peer| Patient(kit::client::channel(&url, self.mesh.identity(peer)).unwrap());
        let (channel, of_payment) = (channel(Peer::Gateway), channel(Peer::Payment));
        Replica {
            inventory: InventoryServiceClient::new(of_payment),
            catalog: CatalogServiceClient::new(channel.clone()),
            admin: CatalogAdminServiceClient::new(channel.clone()),
            holds: HoldServiceClient::new(channel),
            shutdown,
            server,
        }
    }

    pub fn channel(&self, peer: Peer) -> Channel {
        Patient(self.impatient(peer))
    }

    /// For a test about overload.
    pub fn impatient(&self, peer: Peer) -> MeshChannel {
        kit::client::channel(&self.url, self.mesh.identity(peer)).unwrap()
    }

    /// The server is told to end; what it has begun goes on.
    pub fn begin_shutdown(&self) {
        self.shutdown.begin();
    }

    /// Checks what must always hold, and that the server ends.
    pub async fn close(self) {
        check_invariants(&self.db).await;
        self.shutdown.begin();
        self.server.await.unwrap().unwrap();
        self.db.close().await;
    }

    /// A request with the token of the shop's owner.
    pub fn own<T>(&self, message: T) -> Request<T> {
        by(&format!("admin:{}", self.owner), message)
    }

    /// An active event a month from now.
    pub async fn event(&self) -> EventId {
        let request = self.own(event_request("Night of the Cello"));
        let made = self
            .admin
            .clone()
            .create_event(request)
            .await
            .unwrap()
            .into_inner();
        made.event.unwrap().id.parse().unwrap()
    }

    pub async fn ticket_type(&self, event: EventId, stock: Option<i64>) -> TicketTypeId {
        let request = self.own(type_request(event, stock));
        let made = self
            .admin
            .clone()
            .create_ticket_type(request)
            .await
            .unwrap()
            .into_inner();
        made.ticket_type.unwrap().id.parse().unwrap()
    }

    /// An event with one type of so many tickets at 45.00 EUR.
    pub async fn on_sale(&self, stock: i64) -> (EventId, TicketTypeId) {
        let event = self.event().await;
        (event, self.ticket_type(event, Some(stock)).await)
    }

    pub async fn try_hold(
        &self,
        event: EventId,
        lines: &[(TicketTypeId, u32)],
        key: &str,
    ) -> Result<api::HoldTicketsResponse, Status> {
        let request = hold_request(event, lines, key);
        Ok(self.holds.clone().hold_tickets(request).await?.into_inner())
    }

    pub async fn hold(&self, event: EventId, ticket_type: TicketTypeId, quantity: u32) -> Held {
        let lines = [(ticket_type, quantity)];
        let answer = self
            .try_hold(event, &lines, &keys::idempotency_key())
            .await
            .unwrap();
        Held::from(answer)
    }

    pub async fn get_hold(&self, held: &Held) -> api::Hold {
        let request = api::GetHoldRequest {
            hold_id: held.id.clone(),
            secret: held.secret.clone(),
        };
        self.holds
            .clone()
            .get_hold(request)
            .await
            .unwrap()
            .into_inner()
            .hold
            .unwrap()
    }

    pub async fn release_hold(&self, held: &Held) -> Result<api::Hold, Status> {
        let request = api::ReleaseHoldRequest {
            hold_id: held.id.clone(),
            secret: held.secret.clone(),
        };
        Ok(self
            .holds
            .clone()
            .release_hold(request)
            .await?
            .into_inner()
            .hold
            .unwrap())
    }

    pub fn order(&self) -> OrderId {
        OrderId::new(&self.sources)
    }

    pub async fn try_begin(
        &self,
        order: OrderId,
        held: &Held,
    ) -> Result<api::BeginPaymentResponse, Status> {
        self.begin_with(begin_request(order, held)).await
    }

    pub async fn begin_with(
        &self,
        request: api::BeginPaymentRequest,
    ) -> Result<api::BeginPaymentResponse, Status> {
        Ok(self
            .inventory
            .clone()
            .begin_payment(request)
            .await?
            .into_inner())
    }

    /// A hold that is being paid.
    pub async fn paying(&self, event: EventId, id: TicketTypeId, quantity: u32) -> (OrderId, Held) {
        let (order, held) = (self.order(), self.hold(event, id, quantity).await);
        self.try_begin(order, &held).await.unwrap();
        (order, held)
    }

    pub async fn commit(&self, order: OrderId) -> api::CommitOrderResponse {
        let request = api::CommitOrderRequest {
            order_id: order.to_string(),
            ..Default::default()
        };
        self.inventory
            .clone()
            .commit_order(request)
            .await
            .unwrap()
            .into_inner()
    }

    pub async fn release_order(&self, order: OrderId) {
        let request = api::ReleaseOrderRequest {
            order_id: order.to_string(),
        };
        self.inventory.clone().release_order(request).await.unwrap();
    }

    pub async fn tickets(&self, order: OrderId) -> Vec<api::Ticket> {
        let request = api::ListOrderTicketsRequest {
            order_id: order.to_string(),
        };
        self.inventory
            .clone()
            .list_order_tickets(request)
            .await
            .unwrap()
            .into_inner()
            .tickets
    }

    pub async fn cancel_event(&self, event: EventId, reason: &str) -> api::Event {
        let request = self.own(api::CancelEventRequest {
            event_id: event.to_string(),
            expected_version: 0,
            reason: reason.to_owned(),
        });
        let cancelled = self.admin.clone().cancel_event(request).await;
        cancelled.unwrap().into_inner().event.unwrap()
    }

    pub async fn own_event(&self, event: EventId) -> api::Event {
        let request = self.own(api::GetOwnEventRequest {
            event_id: event.to_string(),
        });
        let own = self.admin.clone().get_own_event(request).await;
        own.unwrap().into_inner().event.unwrap()
    }

    pub async fn update_event(&self, request: api::UpdateEventRequest) -> api::Event {
        let updated = self.admin.clone().update_event(self.own(request)).await;
        updated.unwrap().into_inner().event.unwrap()
    }

    pub async fn create_type(
        &self,
        request: api::CreateTicketTypeRequest,
    ) -> Result<api::TicketType, Status> {
        let mut admin = self.admin.clone();
        let made = admin.create_ticket_type(self.own(request)).await?;
        Ok(made.into_inner().ticket_type.unwrap())
    }

    pub async fn update_type(
        &self,
        request: api::UpdateTicketTypeRequest,
    ) -> Result<api::TicketType, Status> {
        let mut admin = self.admin.clone();
        let edited = admin.update_ticket_type(self.own(request)).await?;
        Ok(edited.into_inner().ticket_type.unwrap())
    }

    pub fn refund(&self) -> RefundId {
        RefundId::new(&self.sources)
    }

    /// Makes tickets of an order void.
    pub async fn void(
        &self,
        order: OrderId,
        refund: RefundId,
        lines: &[api::VoidLine],
    ) -> Result<Vec<api::Ticket>, Status> {
        let request = api::VoidTicketsRequest {
            order_id: order.to_string(),
            refund_id: refund.to_string(),
            all: lines.is_empty(),
            lines: lines.to_vec(),
        };
        let voided = self.inventory.clone().void_tickets(request).await?;
        Ok(voided.into_inner().tickets)
    }

    /// Hands a ticket on, in a step with this name.
    pub async fn transfer(
        &self,
        order: OrderId,
        ticket: &str,
        step: Uuid,
        holder: &str,
    ) -> Result<api::TransferTicketResponse, Status> {
        let request = api::TransferTicketRequest {
            order_id: order.to_string(),
            ticket_id: ticket.to_owned(),
            transfer_id: step.to_string(),
            holder_name: holder.to_owned(),
        };
        let handed_on = self.inventory.clone().transfer_ticket(request).await?;
        Ok(handed_on.into_inner())
    }

    /// An order whose tickets exist.
    pub async fn bought(&self, event: EventId, id: TicketTypeId, quantity: u32) -> OrderId {
        let (order, _) = self.paying(event, id, quantity).await;
        assert_eq!(
            self.commit(order).await.answer(),
            api::OrderAnswer::Committed
        );
        order
    }

    /// Held and sold of a type's own pool.
    pub async fn counters(&self, ticket_type: TicketTypeId) -> (i64, i64) {
        sqlx::query_as(
            "SELECT held, sold FROM pools JOIN ticket_types t ON t.pool_id = pools.id WHERE t.id = $1",
        )
        .bind(ticket_type.uuid())
        .fetch_one(&self.db)
        .await
        .unwrap()
    }

    /// Waits until so many sessions of the service wait for a row.
    pub async fn waiting(&self, sessions: i64) {
        let patience = std::time::Duration::from_secs(60);
        testkit::eventually("sessions wait for a row", patience, || async {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&self.db)
            .await
            .unwrap();
            (waiting == sessions).then_some(())
        })
        .await;
    }

    /// Lets the deadline of a hold pass.
    pub async fn age(&self, held: &Held) {
        let aged = sqlx::query(
            "UPDATE holds SET expires_at = clock_timestamp() - interval '1 second',
                              paying_until = CASE WHEN paying_until IS NOT NULL
                                             THEN clock_timestamp() - interval '1 second' END
             WHERE id = $1",
        )
        .bind(held.uuid())
        .execute(&self.db)
        .await
        .unwrap();
        assert_eq!(aged.rows_affected(), 1);
    }

    pub async fn set_event_status(&self, event: EventId, status: &str) {
        sqlx::query(
            "UPDATE events SET status = $2,
                 cancelled_at = CASE $2 WHEN 'cancelled' THEN clock_timestamp() END
             WHERE id = $1",
        )
        .bind(event.uuid())
        .bind(status)
        .execute(&self.db)
        .await
        .unwrap();
    }
}

/// Whoever waits for a row waits until a statement gives up.
pub const LOCK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// A scene in which somebody waits for a row, and in which it matters who came first. Where the machine was so busy that
/// a statement may have given up waiting, it is played again. A scene answers since when somebody waited, and how it ended.
pub async fn in_one_wait<T>(mut scene: impl AsyncFnMut() -> (std::time::Instant, T)) -> T {
    for _ in 0..30 {
        let (begun, end) = Box::pin(scene()).await;
        if begun.elapsed() < LOCK_TIMEOUT {
            return end;
        }
    }
    panic!("not once was there time for the scene");
}

/// A second ticket-svc.
pub struct Replica {
    pub inventory: InventoryServiceClient<Channel>,
    pub catalog: CatalogServiceClient<Channel>,
    pub admin: CatalogAdminServiceClient<Channel>,
    pub holds: HoldServiceClient<Channel>,
    shutdown: Shutdown,
    server: JoinHandle<anyhow::Result<()>>,
}

impl Replica {
    pub async fn try_hold(
        &self,
        event: EventId,
        lines: &[(TicketTypeId, u32)],
        key: &str,
    ) -> Result<api::HoldTicketsResponse, Status> {
        let request = hold_request(event, lines, key);
        Ok(self.holds.clone().hold_tickets(request).await?.into_inner())
    }

    pub async fn close(self) {
        self.shutdown.begin();
        self.server.await.unwrap().unwrap();
    }
}

/// A hold as its guest has it.
#[derive(Clone, Debug)]
pub struct Held {
    pub id: String,
    pub secret: String,
    pub total: common::Money,
}

impl Held {
    pub fn uuid(&self) -> Uuid {
        self.id.parse().unwrap()
    }
}

impl From<api::HoldTicketsResponse> for Held {
    fn from(answer: api::HoldTicketsResponse) -> Self {
        let hold = answer.hold.unwrap();
        Self {
            id: hold.id,
            secret: answer.secret,
            total: hold.total.unwrap(),
        }
    }
}

/// A request with an access token.
pub fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

pub fn hold_request(
    event: EventId,
    lines: &[(TicketTypeId, u32)],
    key: &str,
) -> api::HoldTicketsRequest {
    let lines = lines.iter().map(|(id, quantity)| api::HoldTicketsLine {
        ticket_type_id: id.to_string(),
        quantity: *quantity,
    });
    api::HoldTicketsRequest {
        event_id: event.to_string(),
        lines: lines.collect(),
        idempotency_key: key.to_owned(),
    }
}

pub fn euro(amount_minor: i64) -> common::Money {
    common::Money {
        amount_minor,
        currency: Currency::EUR.to_string(),
    }
}

pub fn in_days(days: i64) -> prost_types::Timestamp {
    proto::timestamp(OffsetDateTime::now_utc() + Duration::days(days))
}

pub fn event_request(title: &str) -> api::CreateEventRequest {
    api::CreateEventRequest {
        title: title.to_owned(),
        description: "Six cellos, no amplifier.".to_owned(),
        location: "Old Mill, Berlin".to_owned(),
        date_time: Some(in_days(30)),
        timezone: "Europe/Berlin".to_owned(),
        currency: "EUR".to_owned(),
        status: api::EventStatus::Active.into(),
        idempotency_key: String::new(),
        payment_providers: Vec::new(),
        seller: None,
        fee: None,
        manual_payment_days: 0,
        cancellation: None,
    }
}

pub fn type_request(event: EventId, stock: Option<i64>) -> api::CreateTicketTypeRequest {
    api::CreateTicketTypeRequest {
        event_id: event.to_string(),
        category: "Stalls".to_owned(),
        price: Some(euro(4500)),
        total_stock: stock,
        ..Default::default()
    }
}

pub fn begin_request(order: OrderId, held: &Held) -> api::BeginPaymentRequest {
    api::BeginPaymentRequest {
        order_id: order.to_string(),
        hold_id: held.id.clone(),
        secret: held.secret.clone(),
        expected_total: Some(held.total.clone()),
        provider_kind: "sandbox".to_owned(),
        guest_key: vec![7; 32],
        provider_kinds: Vec::new(),
    }
}

/// The failure behind a status, which must be a refusal with this reason.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, reason: ErrorReason) -> Failure {
    let failure = Failure::from_status(&answer.unwrap_err());
    assert_eq!(failure.reason, reason, "{failure:?}");
    assert_eq!(failure.certainty, kit::Certainty::NotDone);
    failure
}

/// A refusal of one field.
pub fn refused_field<T: std::fmt::Debug>(answer: Result<T, Status>, field: &str) {
    let failure = refused(answer, ErrorReason::InvalidRequest);
    let fields: Vec<_> = failure
        .fields
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert!(fields.contains(&field), "{field} is not among {fields:?}");
}

pub fn fact<'a>(failure: &'a Failure, name: &str) -> Option<&'a str> {
    failure
        .facts
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}
