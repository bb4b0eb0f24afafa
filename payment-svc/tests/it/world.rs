//! One payment-svc with all that is around it.

use std::{sync::Arc, time::Duration};

use base::Sources;
use clap::Parser as _;
use kit::{Bind, Failure, MeshKey, Shutdown, client};
use payment_svc::{Config, MIGRATOR, build_with_verifier};
use proto::{
    Peer,
    audit::audit_service_client::AuditServiceClient,
    common::Money,
    payment::{
        desk_service_client::DeskServiceClient,
        order_admin_service_client::OrderAdminServiceClient,
        order_service_client::OrderServiceClient,
        provider_event_service_client::ProviderEventServiceClient,
        refund_admin_service_client::RefundAdminServiceClient,
        sandbox_service_client::SandboxServiceClient, *,
    },
};
use sqlx::PgPool;
use testkit::{Patient, eventually, keys};
use tokio::{runtime::Runtime, sync::oneshot};
use tonic::Status;
use uuid::Uuid;

use crate::{
    desk::Trusting,
    hook::{EventsClient, Hook},
    invariants,
    inventory::{Inventory, Terms},
};

pub const SECRET: &str = "a secret for webhooks";
const PATIENCE: Duration = Duration::from_secs(60);

/// Comes again where it is told to.
pub type Channel = Patient<client::MeshChannel>;

pub struct World {
    pub pool: PgPool,
    pub tickets: Inventory,
    pub hook: Hook,
    pub orders: OrderServiceClient<Channel>,
    pub desk: DeskServiceClient<Channel>,
    pub sandbox: SandboxServiceClient<Channel>,
    pub events: EventsClient,
    pub orders_admin: OrderAdminServiceClient<Channel>,
    pub refunds: RefundAdminServiceClient<Channel>,
    /// As it was when the first process started.
    pub record: AuditServiceClient<Channel>,
    /// What another process on the same database is started with.
    pub flags: Vec<String>,
    config: Config,
    service: Option<Runtime>,
}

/// An order as its guest has it.
#[derive(Clone, Debug)]
pub struct Placed {
    pub order: Order,
    pub secret: String,
    /// What only who placed it has.
    pub proof: String,
}

impl From<PlaceOrderResponse> for Placed {
    fn from(answer: PlaceOrderResponse) -> Self {
        Self {
            order: answer.order.unwrap(),
            secret: answer.secret,
            proof: answer.purchase_proof,
        }
    }
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings beside those that every test has, such as `("--payment-providers", "stripe")`.
    pub async fn start_with(extra: &[(&str, &str)]) -> Self {
        testkit::logs();
        let db = testkit::database("payments", &MIGRATOR).await;
        let mesh_key = keys::mesh_key();
        let mesh: MeshKey = mesh_key.parse().unwrap();
        let (tickets, hook) = (Inventory::default(), Hook::default());
        let ticket_url = tickets.serve(mesh.clone()).await;
        let hook_url = hook.serve().await;
        let keys = keys::key_ring();
        let seal = keys::mesh_key();
        let settings = [
            ("--database-url", db.url.as_str()),
            ("--database-max-connections", "6"),
            // Neither broker nor notify-svc: selling does not depend on them.
            ("--nats-url", "nats://127.0.0.1:9"),
            ("--notify-svc-url", "http://127.0.0.1:9"),
            ("--ticket-svc-url", &ticket_url),
            ("--mesh-key", &mesh_key),
            ("--order-keys", &keys),
            ("--link-seal-key", &seal),
            ("--public-url", "https://shop.example/"),
            ("--sandbox-webhook-secret", SECRET),
            ("--sandbox-webhook-url", &hook_url),
        ];
        // Random text may begin with a dash.
        let args = settings
            .iter()
            .chain(extra)
            .map(|(name, value)| format!("{name}={value}"));
        let flags: Vec<String> = std::iter::once("payment-svc".to_owned())
            .chain(args)
            .collect();
        let config = Config::try_parse_from(&flags).unwrap();
        let (service, channel) = serve(&config, &mesh).await;
        let world = Self {
            pool: db.pool().await,
            orders: OrderServiceClient::new(channel.clone()),
            desk: DeskServiceClient::new(channel.clone()),
            sandbox: SandboxServiceClient::new(channel.clone()),
            events: ProviderEventServiceClient::new(channel.clone()),
            orders_admin: OrderAdminServiceClient::new(channel.clone()),
            record: AuditServiceClient::new(channel.clone()),
            refunds: RefundAdminServiceClient::new(channel),
            tickets,
            hook,
            flags,
            config,
            service: Some(service),
        };
        world.hook.point_at(world.events.clone());
        world
    }

    /// Ends the service between two lines, as a kill would: nothing is awaited.
    pub fn crash(&mut self) {
        self.service.take().unwrap().shutdown_background();
    }

    /// Keeps the process beside the next one.
    pub fn leave_running(&mut self) -> Runtime {
        self.service.take().unwrap()
    }

    /// The next process has another setting.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    /// Another process on the same database.
    pub async fn restart(&mut self) {
        let mesh = self.config.mesh.key.clone().unwrap();
        let (service, channel) = serve(&self.config, &mesh).await;
        self.service = Some(service);
        self.orders = OrderServiceClient::new(channel.clone());
        self.desk = DeskServiceClient::new(channel.clone());
        self.sandbox = SandboxServiceClient::new(channel.clone());
        self.events = ProviderEventServiceClient::new(channel.clone());
        self.orders_admin = OrderAdminServiceClient::new(channel.clone());
        self.refunds = RefundAdminServiceClient::new(channel);
        self.hook.point_at(self.events.clone());
    }

    /// A request that is good: two tickets at 45.00 EUR.
    pub fn wish(&self) -> PlaceOrderRequest {
        self.wish_for(2, 4500)
    }

    pub fn wish_for(&self, quantity: u32, price_minor: i64) -> PlaceOrderRequest {
        self.wish_on(Terms {
            quantity,
            price_minor,
            fee_minor: 0,
            tax_rate_ppm: 0,
            currency: "EUR",
        })
    }

    pub fn wish_on(&self, terms: Terms) -> PlaceOrderRequest {
        let (hold_id, hold_secret) = self.tickets.hold_on(terms.clone());
        PlaceOrderRequest {
            hold_id,
            hold_secret,
            email: "ada@example.org".to_owned(),
            phone_number: "+49 30 901820".to_owned(),
            name: "Ada Byron-Lovelace".to_owned(),
            expected_total: Some(Money {
                amount_minor: i64::from(terms.quantity) * terms.price_minor,
                currency: terms.currency.to_owned(),
            }),
            provider: String::new(),
            locale: "en".to_owned(),
            idempotency_key: keys::idempotency_key(),
            accepted_terms: String::new(),
        }
    }

    pub async fn place(&self, wish: PlaceOrderRequest) -> Result<PlaceOrderResponse, Status> {
        Ok(self.orders.clone().place_order(wish).await?.into_inner())
    }

    pub async fn placed(&self) -> Placed {
        let answer = self.place(self.wish()).await.unwrap();
        assert!(!answer.preparing);
        Placed::from(answer)
    }

    /// An order whose guest has had no answer yet.
    pub fn as_its_guest(&self, order: Uuid) -> Placed {
        let secret = self.config.order_keys.derive("order", order, 1);
        Placed {
            order: Order {
                id: order.to_string(),
                ..Order::default()
            },
            secret: secret.expose().to_owned(),
            proof: String::new(),
        }
    }

    /// What it seals for notify-svc.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> String {
        let opened = self.config.link_seal_key.open(purpose, sealed);
        String::from_utf8(opened.unwrap()).unwrap()
    }

    pub async fn order(&self, placed: &Placed, refresh: bool) -> Order {
        let (order_id, secret) = (placed.order.id.clone(), placed.secret.clone());
        let request = GetOrderRequest {
            order_id,
            secret,
            refresh,
        };
        self.orders
            .clone()
            .get_order(request)
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap()
    }

    pub async fn until(&self, placed: &Placed, status: OrderStatus) -> Order {
        let what = format!("order {status:?}");
        eventually(&what, PATIENCE, || async {
            Some(self.order(placed, false).await).filter(|order| order.status() == status)
        })
        .await
    }

    pub async fn start_payment(
        &self,
        placed: &Placed,
        key: &str,
    ) -> Result<StartPaymentResponse, Status> {
        let request = StartPaymentRequest {
            order_id: placed.order.id.clone(),
            secret: placed.secret.clone(),
            provider: String::new(),
            idempotency_key: key.to_owned(),
        };
        Ok(self
            .orders
            .clone()
            .start_payment(request)
            .await?
            .into_inner())
    }

    pub async fn cancel(&self, placed: &Placed) -> Result<Order, Status> {
        let (order_id, secret) = (placed.order.id.clone(), placed.secret.clone());
        let answer = self
            .orders
            .clone()
            .cancel_order(CancelOrderRequest {
                order_id,
                secret,
                expected_refund: None,
            })
            .await?;
        Ok(answer.into_inner().order.unwrap())
    }

    pub async fn pay(&self, order: &Order) -> SandboxSession {
        self.submit(&reference(order), "4242424242424242")
            .await
            .unwrap()
    }

    pub async fn decline(&self, order: &Order) -> SandboxSession {
        self.submit(&reference(order), "4000000000000002")
            .await
            .unwrap()
    }

    pub async fn submit(&self, reference: &str, card: &str) -> Result<SandboxSession, Status> {
        let request = SubmitSandboxCardRequest {
            reference: reference.to_owned(),
            card_number: card.to_owned(),
            exp: "12/49".to_owned(),
            cvc: "123".to_owned(),
        };
        let answer = self.sandbox.clone().submit_sandbox_card(request).await?;
        Ok(answer.into_inner().session.unwrap())
    }

    /// Statements of a test that plays fate, one parameter-free text each.
    pub async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.pool).await.unwrap();
    }

    /// Changes a row as soon as it is as the statement wants it.
    pub async fn change_one(&self, statement: &'static str) {
        eventually("a row to change", Duration::from_secs(60), || async {
            let changed = sqlx::query(statement).execute(&self.pool).await.unwrap();
            (changed.rows_affected() == 1).then_some(())
        })
        .await;
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Every order and every event is looked at now, instead of when a pause or a dead process's
    /// lease is over.
    pub async fn hurry(&self) {
        self.sql(
            "UPDATE orders SET next_step_at = clock_timestamp() WHERE next_step_at IS NOT NULL;
             UPDATE provider_events SET next_attempt_at = clock_timestamp() WHERE state = 'received';
             UPDATE refunds SET next_step_at = clock_timestamp() WHERE next_step_at IS NOT NULL;
             UPDATE ticket_transfers SET next_step_at = clock_timestamp() WHERE next_step_at IS NOT NULL;
             UPDATE holder_news SET next_step_at = clock_timestamp() WHERE next_step_at IS NOT NULL;
             UPDATE event_moves SET next_scan_at = clock_timestamp();
             UPDATE event_cancellations SET next_scan_at = clock_timestamp()",
        )
        .await;
    }

    /// No order is looked at by itself for a while, however long a busy machine takes for the test.
    pub async fn nobody_looks(&self) {
        self.sql(
            "UPDATE orders SET next_step_at = clock_timestamp() + interval '1 hour'
             WHERE next_step_at IS NOT NULL",
        )
        .await;
    }

    pub fn admin(&self) -> OrderAdminServiceClient<Channel> {
        self.orders_admin.clone()
    }

    /// Waits for the work to end and checks what must always hold.
    pub async fn end(self) {
        // A process that was killed may have left a lease as long as the patience with what is left over.
        self.hurry().await;
        invariants::check(&self.pool, &self.tickets).await;
        if let Some(service) = self.service {
            service.shutdown_background();
        }
    }
}

pub fn reference(order: &Order) -> String {
    order.payment.as_ref().unwrap().payment_ref.clone()
}

pub fn failure<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Failure {
    Failure::from_status(&outcome.unwrap_err())
}

/// In a runtime of its own, so that it can be ended like a process.
async fn serve(config: &Config, mesh: &MeshKey) -> (Runtime, Channel) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (tell, addr) = oneshot::channel();
    let config = config.clone();
    runtime.spawn(async move {
        let (bind, _) = Bind::loopback().await.unwrap();
        let server = Box::pin(build_with_verifier(
            &config,
            bind,
            Sources::system(),
            Arc::new(Trusting),
        ))
        .await
        .unwrap();
        tell.send(server.addr()).unwrap();
        server.serve(Shutdown::new()).await.unwrap();
    });
    let addr = addr.await.expect("payment-svc did not start");
    let channel = client::channel(&format!("http://{addr}"), mesh.identity(Peer::Gateway)).unwrap();
    (runtime, Patient(channel))
}
