//! What every handler shares.

use std::{sync::Arc, time::Duration};

use base::Sources;
use http::HeaderValue;
use kit::{Admission, MeshKey, Shutdown, Tasks, client::channel};
use proto::{
    Peer,
    notify::{
        delivery_service_client::DeliveryServiceClient,
        document_service_client::DocumentServiceClient,
        notification_admin_service_client::NotificationAdminServiceClient,
        template_admin_service_client::TemplateAdminServiceClient,
    },
    payment::{
        desk_service_client::DeskServiceClient,
        order_admin_service_client::OrderAdminServiceClient,
        order_service_client::OrderServiceClient,
        provider_event_service_client::ProviderEventServiceClient,
        refund_admin_service_client::RefundAdminServiceClient,
        sandbox_service_client::SandboxServiceClient,
    },
    ticket::{
        catalog_admin_service_client::CatalogAdminServiceClient,
        catalog_service_client::CatalogServiceClient, change_service_client::ChangeServiceClient,
        hold_batch_service_client::HoldBatchServiceClient, hold_service_client::HoldServiceClient,
        pool_audit_service_client::PoolAuditServiceClient,
        ticket_code_service_client::TicketCodeServiceClient,
    },
    user::{
        key_service_client::KeyServiceClient, session_service_client::SessionServiceClient,
        setup_service_client::SetupServiceClient,
    },
};
use tonic_health::pb::health_client::HealthClient;

use crate::{
    Config,
    config::PublicUrl,
    guesses::Guesses,
    holds::Holds,
    network::Proxies,
    programme::{Programme, Streams},
    providers::Providers,
    retries::{Budget, Upstream},
    shop::page::Pages,
};

/// The state of the router.
pub type Shared = Arc<App>;

pub struct App {
    pub sources: Sources,
    pub public_url: PublicUrl,
    pub handler_timeout: Duration,
    pub webhook_body_limit_bytes: usize,
    pub tasks: Tasks,
    /// Bounds the requests in work.
    pub admission: Admission,
    /// Begins with the process's own shutdown, before connections are drained.
    pub closing: Shutdown,
    pub upstreams: Upstreams,
    pub holds: Holds,
    /// What guests look at most.
    pub programme: Programme,
    /// Who watches what is left.
    pub streams: Arc<Streams>,
    /// Whose word about a client's address counts.
    pub proxies: Proxies,
    /// Who opens links that lead nowhere.
    pub guesses: Guesses,
    /// What orders can be paid with.
    pub providers: Providers,
    pub pages: Pages,
    /// What pages may load and where their forms may lead.
    pub page_policy: HeaderValue,
}

impl App {
    pub fn new(config: &Config, sources: Sources) -> anyhow::Result<Self> {
        let (tasks, upstreams) = (Tasks::new(), Upstreams::connect(config, sources.clone())?);
        Ok(Self {
            public_url: config.public_url.clone(),
            handler_timeout: config.handler_timeout(),
            webhook_body_limit_bytes: config.webhook_body_limit_bytes,
            admission: Admission::new(config.requests_max as usize),
            closing: Shutdown::new(),
            holds: Holds::start(&tasks, &upstreams.hold_batches()),
            tasks,
            upstreams,
            programme: Programme::new(config.programme_stale_max()),
            streams: Streams::new(
                config.streams_max as usize,
                config.streams_per_address_max as usize,
            ),
            proxies: config.trusted_proxies.clone(),
            guesses: Guesses::new(config.guesses_per_network_max),
            providers: Providers::default(),
            sources,
            pages: Pages::new()?,
            page_policy: HeaderValue::from_str(&format!(
                "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
                 form-action 'self' {}",
                config.public_url.origin()
            ))?,
        })
    }
}

/// The four services. Channels connect on first use and are shared by all requests.
pub struct Upstreams {
    user: Upstream,
    ticket: Upstream,
    payment: Upstream,
    notify: Upstream,
}

impl Upstreams {
    fn connect(config: &Config, sources: Sources) -> anyhow::Result<Self> {
        let key: &MeshKey = &config.mesh_key;
        let budget = Budget::new(sources);
        let connect = |url: &str| -> anyhow::Result<Upstream> {
            let channel = channel(url, key.identity(Peer::Gateway))?;
            Ok(Upstream {
                channel,
                budget: budget.clone(),
            })
        };
        Ok(Self {
            user: connect(&config.user_svc_url)?,
            ticket: connect(&config.ticket_svc_url)?,
            payment: connect(&config.payment_svc_url)?,
            notify: connect(&config.notify_svc_url)?,
        })
    }

    pub fn setup(&self) -> SetupServiceClient<Upstream> {
        SetupServiceClient::new(self.user.clone())
    }

    pub fn sessions(&self) -> SessionServiceClient<Upstream> {
        SessionServiceClient::new(self.user.clone())
    }

    pub fn keys(&self) -> KeyServiceClient<Upstream> {
        KeyServiceClient::new(self.user.clone())
    }

    pub fn catalog(&self) -> CatalogServiceClient<Upstream> {
        CatalogServiceClient::new(self.ticket.clone())
    }

    pub fn changes(&self) -> ChangeServiceClient<Upstream> {
        ChangeServiceClient::new(self.ticket.clone())
    }

    pub fn catalog_admin(&self) -> CatalogAdminServiceClient<Upstream> {
        CatalogAdminServiceClient::new(self.ticket.clone())
    }

    pub fn holds(&self) -> HoldServiceClient<Upstream> {
        HoldServiceClient::new(self.ticket.clone())
    }

    pub fn hold_batches(&self) -> HoldBatchServiceClient<Upstream> {
        let batches = HoldBatchServiceClient::new(self.ticket.clone());
        batches.max_decoding_message_size(crate::holds::ANSWER_MAX_BYTES)
    }

    pub fn ticket_codes(&self) -> TicketCodeServiceClient<Upstream> {
        TicketCodeServiceClient::new(self.ticket.clone())
    }

    pub fn pool_audit(&self) -> PoolAuditServiceClient<Upstream> {
        PoolAuditServiceClient::new(self.ticket.clone())
    }

    pub fn orders(&self) -> OrderServiceClient<Upstream> {
        OrderServiceClient::new(self.payment.clone())
    }

    pub fn desk(&self) -> DeskServiceClient<Upstream> {
        DeskServiceClient::new(self.payment.clone())
    }

    pub fn orders_admin(&self) -> OrderAdminServiceClient<Upstream> {
        OrderAdminServiceClient::new(self.payment.clone())
    }

    pub fn refunds_admin(&self) -> RefundAdminServiceClient<Upstream> {
        RefundAdminServiceClient::new(self.payment.clone())
    }

    pub fn provider_events(&self) -> ProviderEventServiceClient<Upstream> {
        ProviderEventServiceClient::new(self.payment.clone())
    }

    pub fn sandbox(&self) -> SandboxServiceClient<Upstream> {
        SandboxServiceClient::new(self.payment.clone())
    }

    pub fn documents(&self) -> DocumentServiceClient<Upstream> {
        DocumentServiceClient::new(self.notify.clone())
    }

    pub fn deliveries(&self) -> DeliveryServiceClient<Upstream> {
        DeliveryServiceClient::new(self.notify.clone())
    }

    pub fn notifications(&self) -> NotificationAdminServiceClient<Upstream> {
        NotificationAdminServiceClient::new(self.notify.clone())
    }

    pub fn templates(&self) -> TemplateAdminServiceClient<Upstream> {
        TemplateAdminServiceClient::new(self.notify.clone())
    }

    /// The health service of each, by the service's name.
    pub fn health(&self) -> [(&'static str, HealthClient<Upstream>); 4] {
        [
            (Peer::User.name(), HealthClient::new(self.user.clone())),
            (Peer::Ticket.name(), HealthClient::new(self.ticket.clone())),
            (
                Peer::Payment.name(),
                HealthClient::new(self.payment.clone()),
            ),
            (Peer::Notify.name(), HealthClient::new(self.notify.clone())),
        ]
    }
}
