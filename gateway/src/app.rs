//! What every handler shares.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use base::{OrderId, Sources};
use kit::{Shutdown, Tasks};
use proto::{
    Peer,
    audit::audit_service_client::AuditServiceClient,
    notify::{
        delivery_service_client::DeliveryServiceClient,
        document_service_client::DocumentServiceClient,
        notification_admin_service_client::NotificationAdminServiceClient,
        template_admin_service_client::TemplateAdminServiceClient,
    },
    payment::{
        desk_service_client::DeskServiceClient,
        insight_admin_service_client::InsightAdminServiceClient as SalesClient,
        order_admin_service_client::OrderAdminServiceClient,
        order_service_client::OrderServiceClient,
        provider_event_service_client::ProviderEventServiceClient,
        refund_admin_service_client::RefundAdminServiceClient,
        sandbox_service_client::SandboxServiceClient,
    },
    status::status_service_client::StatusServiceClient,
    ticket::{
        catalog_admin_service_client::CatalogAdminServiceClient,
        catalog_service_client::CatalogServiceClient, change_service_client::ChangeServiceClient,
        grant_admin_service_client::GrantAdminServiceClient,
        hold_batch_service_client::HoldBatchServiceClient, hold_service_client::HoldServiceClient,
        insight_admin_service_client::InsightAdminServiceClient as TrafficClient,
        pool_audit_service_client::PoolAuditServiceClient,
        ticket_code_service_client::TicketCodeServiceClient,
        view_service_client::ViewServiceClient,
    },
    user::{
        account_admin_service_client::AccountAdminServiceClient,
        account_check_service_client::AccountCheckServiceClient,
        api_key_service_client::ApiKeyServiceClient, key_service_client::KeyServiceClient,
        registration_service_client::RegistrationServiceClient,
        second_factor_service_client::SecondFactorServiceClient,
        session_service_client::SessionServiceClient, setup_service_client::SetupServiceClient,
    },
};
use tonic_health::pb::health_client::HealthClient;

use crate::{
    Config,
    arrival::Arrivals,
    breaker::Breaker,
    compress::Compressor,
    config::{Contacts, PublicUrl},
    cors::Cors,
    guard::Guard,
    guesses::Guesses,
    holds::Holds,
    images::Images,
    lanes::Lanes,
    network::{Proxies, Suspicion},
    probes::Probes,
    programme::{Programme, Streams},
    providers::Providers,
    rates::Rates,
    rest,
    retries::Budget,
    shop::page::Pages,
    told::Told,
    upstream::Upstream,
    views::Views,
};

/// A page of entries, each with what was and what is: a description may be long.
const AUDIT_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Twenty events with many types, hour by hour.
const INSIGHTS_MAX_BYTES: usize = 32 * 1024 * 1024;

/// The state of the router.
pub type Shared = Arc<App>;

pub struct App {
    pub sources: Sources,
    pub public_url: PublicUrl,
    pub handler_timeout: Duration,
    pub webhook_body_limit_bytes: usize,
    pub tasks: Tasks,
    /// Bounds the requests in work.
    pub lanes: Lanes,
    /// Bodies on their way.
    pub arrivals: Arrivals,
    pub rates: Rates,
    pub cors: Cors,
    pub guard: Guard,
    pub compressor: Compressor,
    /// Begins with the process's own shutdown, before connections are drained.
    pub closing: Shutdown,
    pub upstreams: Upstreams,
    /// How the services were when they were asked last.
    pub probes: Probes,
    pub holds: Holds,
    /// What guests look at most.
    pub programme: Programme,
    /// Who watches what is left.
    pub streams: Arc<Streams>,
    /// Who waits for which order.
    pub order_streams: Arc<Streams<OrderId>>,
    /// Whose word about a client's address counts.
    pub proxies: Proxies,
    pub suspicion: Suspicion,
    /// Who opens links that lead nowhere.
    pub guesses: Guesses,
    /// Who was just told to wait with signing in.
    pub told: Told,
    /// What orders can be paid with.
    pub providers: Providers,
    pub pages: Pages,
    /// Pictures of events.
    pub images: Images,
    /// How often guests looked at which event.
    pub views: Views,
    /// Whom to tell about a weakness.
    pub security_contacts: Contacts,
}

impl App {
    pub fn new(config: &Config, sources: Sources) -> anyhow::Result<Self> {
        let (tasks, upstreams) = (Tasks::new(), Upstreams::connect(config, sources.clone())?);
        Ok(Self {
            public_url: config.public_url.clone(),
            handler_timeout: config.handler_timeout(),
            webhook_body_limit_bytes: config.webhook_body_limit_bytes,
            lanes: Lanes::new(
                config.requests_max as usize,
                config.requests_reserved as usize,
            ),
            arrivals: Arrivals::new(config.body_limit_bytes, config.webhook_body_limit_bytes),
            rates: Rates::new(config.rate_limits, config.caps()),
            cors: config.cors_origins.clone(),
            guard: Guard::new(&config.public_url)?,
            compressor: Compressor::default(),
            closing: Shutdown::new(),
            holds: Holds::start(&tasks, &upstreams.hold_batches()),
            tasks,
            upstreams,
            programme: Programme::new(config.programme_stale_max()),
            streams: Streams::new(
                config.streams_max as usize,
                config.streams_per_address_max as usize,
            ),
            order_streams: rest::order_streams(),
            proxies: config.trusted_proxies.clone(),
            suspicion: Suspicion::default(),
            probes: Probes::default(),
            guesses: Guesses::new(config.guesses_per_network_max),
            told: Told::default(),
            providers: Providers::default(),
            sources,
            pages: Pages::new()?,
            images: Images::open(config)?,
            views: Views::default(),
            security_contacts: config.security_contacts.clone(),
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
        let member = config.mesh.open(Peer::Gateway)?;
        let budget = Budget::new(sources, config.retries_percent);
        let connect = |url: &str, callee: Peer| -> anyhow::Result<Upstream> {
            let channel = member.channel(url, callee);
            let channel = channel.with_context(|| format!("the address of {}", callee.name()))?;
            Ok(Upstream {
                member: callee.name(),
                channel,
                budget: budget.clone(),
                breaker: Some(Breaker::new(callee.name(), config.breaker_failed_percent)),
            })
        };
        Ok(Self {
            user: connect(&config.user_svc_url, Peer::User)?,
            ticket: connect(&config.ticket_svc_url, Peer::Ticket)?,
            payment: connect(&config.payment_svc_url, Peer::Payment)?,
            notify: connect(&config.notify_svc_url, Peer::Notify)?,
        })
    }

    pub fn setup(&self) -> SetupServiceClient<Upstream> {
        SetupServiceClient::new(self.user.clone())
    }

    pub fn sessions(&self) -> SessionServiceClient<Upstream> {
        SessionServiceClient::new(self.user.clone())
    }

    pub fn registration(&self) -> RegistrationServiceClient<Upstream> {
        RegistrationServiceClient::new(self.user.clone())
    }

    pub fn second_factors(&self) -> SecondFactorServiceClient<Upstream> {
        SecondFactorServiceClient::new(self.user.clone())
    }

    pub fn api_keys(&self) -> ApiKeyServiceClient<Upstream> {
        ApiKeyServiceClient::new(self.user.clone())
    }

    pub fn accounts(&self) -> AccountAdminServiceClient<Upstream> {
        AccountAdminServiceClient::new(self.user.clone())
    }

    pub fn account_check(&self) -> AccountCheckServiceClient<Upstream> {
        AccountCheckServiceClient::new(self.user.clone())
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

    pub fn grants(&self) -> GrantAdminServiceClient<Upstream> {
        GrantAdminServiceClient::new(self.ticket.clone())
    }

    /// Every service's part of the record.
    pub fn audits(&self) -> [AuditServiceClient<Upstream>; 4] {
        [&self.user, &self.ticket, &self.payment, &self.notify].map(|upstream| {
            let part = AuditServiceClient::new(upstream.clone());
            part.max_decoding_message_size(AUDIT_MAX_BYTES)
        })
    }

    /// How each is, by the service's name.
    pub fn statuses(&self) -> [(&'static str, StatusServiceClient<Upstream>); 4] {
        [&self.user, &self.ticket, &self.payment, &self.notify]
            .map(|upstream| (upstream.member, StatusServiceClient::new(upstream.clone())))
    }

    pub fn pool_audit(&self) -> PoolAuditServiceClient<Upstream> {
        PoolAuditServiceClient::new(self.ticket.clone())
    }

    /// Stock, views and holds of events.
    pub fn traffic(&self) -> TrafficClient<Upstream> {
        let traffic = TrafficClient::new(self.ticket.clone());
        traffic.max_decoding_message_size(INSIGHTS_MAX_BYTES)
    }

    /// What events sold and gave back.
    pub fn sales(&self) -> SalesClient<Upstream> {
        let sales = SalesClient::new(self.payment.clone());
        sales.max_decoding_message_size(INSIGHTS_MAX_BYTES)
    }

    pub fn views(&self) -> ViewServiceClient<Upstream> {
        ViewServiceClient::new(self.ticket.clone())
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
        [&self.user, &self.ticket, &self.payment, &self.notify]
            .map(|upstream| (upstream.member, HealthClient::new(upstream.in_any_case())))
    }
}
