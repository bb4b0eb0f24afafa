//! The built-in provider: a hosted page with test cards. To the rest of the service it is as foreign
//! as a real one: it has books of its own and reports by signed webhooks over HTTP.

mod books;
mod card;
mod deliver;
mod faults;
mod page;
mod refunds;
mod report;

use std::{collections::HashMap, sync::Arc, time::Duration};

use base::{Money, Sources};
use db::Db;
use kit::Tasks;
use time::OffsetDateTime;
use tokio::sync::Notify;

use super::{
    Call, Capabilities, Checkout, Closing, PaymentRequest, Provider, ProviderEvent, RefundRequest,
    RefundTruth, SeenRefund, Truth, WebhookRejected,
};
use crate::{
    config::{Config, PublicUrl},
    lane::Lane,
    provider::WebhookSecrets,
};
pub use faults::WebhookFaults;
pub(crate) use page::Card;
use report::Reporter;

const SIGNATURE_HEADER: &str = "sandbox-signature";

pub(crate) struct Sandbox {
    db: Db,
    sources: Sources,
    secrets: WebhookSecrets,
    public_url: PublicUrl,
    webhook_url: String,
    reporter: Reporter,
    /// Wakes the delivery of webhooks.
    nudge: Arc<Notify>,
    /// Questions how a payment stands.
    questions: Lane<String, Option<Truth>>,
}

impl Sandbox {
    pub fn new(config: &Config, db: Db, sources: Sources) -> Self {
        let hook = config.sandbox_webhook_url.as_ref().map(ToString::to_string);
        let reporter = Reporter {
            sources: sources.clone(),
            faults: config.sandbox_webhook_faults,
            late: Duration::from_millis(config.sandbox_late_ms),
        };
        Self {
            db,
            sources,
            reporter,
            secrets: config.sandbox_webhook_secret.clone(),
            public_url: config.public_url.clone(),
            webhook_url: hook.unwrap_or_else(|| config.public_url.at("/api/v1/webhooks/sandbox")),
            nudge: Arc::default(),
            questions: Lane::default(),
        }
    }

    fn page_url(&self, reference: &str) -> String {
        self.public_url.at(&format!("/pay/sandbox/{reference}"))
    }
}

/// The work that a foreign provider does by itself: webhooks leave, late refunds are paid out.
pub(crate) fn start(tasks: &Tasks, sandbox: &Arc<Sandbox>) -> Result<(), reqwest::Error> {
    let questions = &sandbox.questions;
    questions.open("sandbox", (tasks, &sandbox.db), |session, all| {
        Box::pin(books::truths(session, all))
    });
    refunds::start(tasks, sandbox.clone());
    deliver::start(tasks, sandbox.clone())
}

impl Provider for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn title(&self) -> &'static str {
        "Test card"
    }

    fn kind(&self) -> &'static str {
        "sandbox"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            tells_truth: true,
            refunds: true,
            may_differ: false,
        }
    }

    fn create<'a>(&'a self, request: &'a PaymentRequest) -> Call<'a, Checkout> {
        Box::pin(async move {
            let reference = books::open_session(self, request).await?;
            Ok(Checkout {
                url: self.page_url(&reference),
                reference,
            })
        })
    }

    fn fetch<'a>(&'a self, reference: &'a str) -> Call<'a, Truth> {
        Box::pin(books::truth(self, reference))
    }

    fn close<'a>(&'a self, reference: &'a str) -> Call<'a, Closing> {
        Box::pin(books::close_session(self, reference))
    }

    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Call<'a, RefundTruth> {
        Box::pin(refunds::refund(self, request))
    }

    fn fetch_refund<'a>(&'a self, reference: &'a str) -> Call<'a, RefundTruth> {
        Box::pin(refunds::fetch_refund(self, reference))
    }

    fn refunds_since(&self, since: OffsetDateTime) -> Call<'_, Vec<SeenRefund>> {
        Box::pin(refunds::refunds_since(self, since))
    }

    fn instructions(&self, _reference: &str, _amount: Money) -> String {
        String::new()
    }

    fn verify_webhook(
        &self,
        body: &[u8],
        headers: &HashMap<String, String>,
    ) -> Result<ProviderEvent, WebhookRejected> {
        let header = headers.get(SIGNATURE_HEADER).ok_or(WebhookRejected)?;
        if !self.secrets.verify(header, body, self.sources.now()) {
            return Err(WebhookRejected);
        }
        report::read(body).ok_or(WebhookRejected)
    }
}

/// The provider alone, on a database and with a receiver of webhooks of its own.
#[cfg(test)]
mod bench {
    use std::{
        fmt::Debug,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use axum::{
        Router, body::Bytes, extract::State, http::StatusCode, routing::post,
        serve::ListenerExt as _,
    };
    use base::{Money, OrderId, RefundId, Sources};
    use clap::Parser as _;
    use db::{Db, DbConfig, DbError};
    use kit::Tasks;
    use sqlx::PgPool;
    use testkit::{eventually, keys};
    use tokio::net::TcpListener;

    use super::{Card, Sandbox, report};
    use crate::{
        MIGRATOR,
        config::Config,
        error::Error,
        provider::{PaymentRequest, Provider as _, ProviderError, RefundRequest, RefundTruth},
    };

    pub struct Bench {
        pub sandbox: Arc<Sandbox>,
        pub pool: PgPool,
        hook: Hook,
        tasks: Tasks,
    }

    /// A busy database has done nothing, and whoever calls comes again.
    async fn insist<T, E: Debug>(
        call: impl AsyncFn() -> Result<T, E>,
        is_busy: fn(&E) -> bool,
    ) -> T {
        eventually("an answer", Duration::from_secs(60), async || {
            let answer = call().await;
            let busy = answer.as_ref().is_err_and(is_busy);
            (!busy).then(|| answer.unwrap())
        })
        .await
    }

    fn is_busy(error: &ProviderError) -> bool {
        matches!(error, ProviderError::Db(DbError::Busy))
    }

    #[derive(Clone, Default)]
    struct Hook(Arc<Mutex<Seen>>);

    #[derive(Default)]
    struct Seen {
        events: Vec<(String, String)>,
        connections: usize,
    }

    impl Bench {
        /// `more` are further settings, as on a command line.
        pub async fn start(more: &[&str]) -> Self {
            testkit::logs();
            let db = testkit::database("payments", &MIGRATOR).await;
            let hook = Hook::default();
            let settings = [
                ("database-url", db.url.clone()),
                ("nats-url", "nats://127.0.0.1:9".to_owned()),
                ("mesh-key", keys::mesh_key()),
                ("order-keys", keys::key_ring()),
                ("link-seal-key", keys::mesh_key()),
                ("sandbox-webhook-secret", "a secret for webhooks".to_owned()),
                ("sandbox-webhook-url", hook.serve().await),
            ];
            let args = settings.map(|(name, value)| format!("--{name}={value}"));
            let more = more.iter().map(|text| (*text).to_owned());
            let args = std::iter::once("payment-svc".to_owned())
                .chain(args)
                .chain(more);
            let config = Config::try_parse_from(args).unwrap();
            let database = Db::connect_lazy(&DbConfig::new(&db.url, "payment-svc")).unwrap();
            let sandbox = Arc::new(Sandbox::new(&config, database, Sources::system()));
            let tasks = Tasks::new();
            super::start(&tasks, &sandbox).unwrap();
            Self {
                pool: db.pool().await,
                sandbox,
                hook,
                tasks,
            }
        }

        /// A session over 90.00 EUR.
        pub async fn session(&self) -> String {
            let sources = Sources::system();
            let request = PaymentRequest {
                key: sources.token(),
                order: OrderId::from(sources.uuid_v7()),
                amount: eur(9000),
                description: "Order BX-1".to_owned(),
                return_url: "https://shop.example/orders/1".to_owned(),
                deadline: sources.now() + time::Duration::hours(1),
            };
            let made = insist(async || self.sandbox.create(&request).await, is_busy).await;
            made.reference
        }

        pub async fn submit(&self, reference: &str, number: &str) {
            let card = Card {
                number: number.to_owned(),
                exp: "12/49".to_owned(),
                cvc: "123".to_owned(),
            };
            let is_busy = |error: &Error| matches!(error, Error::Db(DbError::Busy));
            insist(
                async || self.sandbox.submit(reference, &card).await,
                is_busy,
            )
            .await;
        }

        /// A session after a card.
        pub async fn with_card(&self, number: &str) -> String {
            let reference = self.session().await;
            self.submit(&reference, number).await;
            reference
        }

        pub async fn refund(&self, payment: &str, key: &str, amount_minor: i64) -> RefundTruth {
            let request = RefundRequest {
                refund: RefundId::new(&Sources::system()),
                key: key.to_owned(),
                order: OrderId::from(Sources::system().uuid_v7()),
                payment: payment.to_owned(),
                capture: None,
                amount: eur(amount_minor),
            };
            insist(async || self.sandbox.refund(&request).await, is_busy).await
        }

        /// Id and kind of what arrived.
        pub fn seen(&self) -> Vec<(String, String)> {
            self.hook.0.lock().unwrap().events.clone()
        }

        pub fn connections(&self) -> usize {
            self.hook.0.lock().unwrap().connections
        }

        pub async fn count(&self, query: &'static str) -> i64 {
            sqlx::query_scalar(query)
                .fetch_one(&self.pool)
                .await
                .unwrap()
        }

        /// What the ledger holds of every movement, in order.
        pub async fn ledger(&self) -> Vec<i64> {
            let amounts = sqlx::query_scalar("SELECT amount_minor FROM sandbox.ledger ORDER BY id");
            amounts.fetch_all(&self.pool).await.unwrap()
        }

        pub async fn end(self) {
            self.tasks.finish().await;
        }
    }

    impl Hook {
        async fn serve(&self) -> String {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let addr = listener.local_addr().unwrap();
            let hook = self.clone();
            let listener = listener.tap_io(move |_| hook.0.lock().unwrap().connections += 1);
            let app = Router::new()
                .route("/", post(take))
                .with_state(self.clone());
            #[expect(clippy::disallowed_methods, reason = "a test ends what it spawns")]
            tokio::spawn(async move { axum::serve(listener, app).await });
            format!("http://{addr}/")
        }
    }

    async fn take(State(hook): State<Hook>, body: Bytes) -> StatusCode {
        let event = report::read(&body).unwrap();
        let mut seen = hook.0.lock().unwrap();
        seen.events.push((event.id, event.kind));
        StatusCode::NO_CONTENT
    }

    fn eur(amount_minor: i64) -> Money {
        Money::new(amount_minor, "EUR".parse().unwrap())
    }
}
