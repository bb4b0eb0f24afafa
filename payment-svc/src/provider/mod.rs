//! Payment providers. Each is asked for a payment by a deterministic key, asked for the truth about
//! it, told to close it, and reports by signed webhooks. No transaction is open across any of these.

pub(crate) mod sandbox;

use std::{collections::HashMap, sync::Arc, time::Duration};

use base::{Money, OrderId};
use futures::future::BoxFuture;
use time::OffsetDateTime;

use crate::config::{Config, ProviderName};

/// One call to a provider may take this long.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// What a provider can do beyond taking money.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capabilities {
    /// It can be asked how a payment stands; otherwise what it reports by itself is all there is.
    pub tells_truth: bool,
}

/// One try to pay, as a provider needs to know it.
#[derive(Clone, Debug)]
pub(crate) struct PaymentRequest {
    /// The same key is the same payment, however often it is asked for.
    pub key: String,
    pub order: OrderId,
    pub amount: Money,
    /// What the payment page calls it.
    pub description: String,
    pub return_url: String,
    pub deadline: OffsetDateTime,
}

/// A payment the provider knows now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// The provider's own name for it.
    pub reference: String,
    /// Where the guest pays.
    pub url: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaymentStatus {
    Open,
    /// The last try was refused; the payment itself still takes another one until it is closed.
    Declined,
    /// Closed, and the last try was refused.
    Failed,
    Paid,
    Closed,
}

/// What a provider says about a payment when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Truth {
    pub reference: String,
    pub status: PaymentStatus,
    pub amount_minor: i64,
    pub currency: String,
}

/// How a payment stands after it was told to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Nobody can pay by it any more.
    Closed,
    /// Too late: the money had arrived.
    Paid,
}

/// A webhook whose signature was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProviderEvent {
    /// The provider's id of the event; a repeated delivery has the same.
    pub id: String,
    pub kind: String,
    pub reference: String,
    pub amount_minor: i64,
    pub currency: String,
}

/// The outcome is unknown; the same call with the same key may be repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error("no answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    #[error("the provider does not know this payment")]
    UnknownReference,
    #[error("the provider calls a payment paid and open at once")]
    Undecided,
    #[error(transparent)]
    Db(#[from] db::DbError),
}

/// The signature is missing, wrong or too old, or the body is not what the provider sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WebhookRejected;

pub(crate) trait Provider: Send + Sync + 'static {
    /// The word in settings, requests and rows.
    fn name(&self) -> &'static str;

    /// Decides at ticket-svc how long the guest has: `sandbox`, `stripe`, `manual`.
    fn kind(&self) -> &'static str;

    fn capabilities(&self) -> Capabilities;

    /// Insert-or-find by the request's key.
    fn create<'a>(&'a self, request: &'a PaymentRequest) -> Call<'a, Checkout>;

    fn fetch<'a>(&'a self, reference: &'a str) -> Call<'a, Truth>;

    /// Idempotent; answers how it stands now.
    fn close<'a>(&'a self, reference: &'a str) -> Call<'a, Closing>;

    /// Reads nothing but its arguments: it runs before the database is touched.
    fn verify_webhook(
        &self,
        body: &[u8],
        headers: &HashMap<String, String>,
    ) -> Result<ProviderEvent, WebhookRejected>;
}

pub(crate) type Call<'a, T> = BoxFuture<'a, Result<T, ProviderError>>;

/// Bounds a call to a provider.
pub(crate) async fn bounded<T>(call: Call<'_, T>) -> Result<T, ProviderError> {
    tokio::time::timeout(CALL_TIMEOUT, call)
        .await
        .unwrap_or(Err(ProviderError::Timeout))
}

/// The enabled providers, the default one first.
pub(crate) struct Providers {
    default: Arc<dyn Provider>,
    others: Vec<Arc<dyn Provider>>,
}

impl Providers {
    pub fn new(config: &Config, sandbox: &Arc<sandbox::Sandbox>) -> Self {
        let provider = |name: &ProviderName| match name {
            ProviderName::Sandbox => sandbox.clone() as Arc<dyn Provider>,
        };
        let mut enabled = config.payment_providers.iter().map(provider);
        Self {
            default: enabled
                .next()
                .expect("the setting has a default and parses to one or more"),
            others: enabled.collect(),
        }
    }

    /// An empty name means the default; none if the provider is not enabled.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        if name.is_empty() {
            return Some(&self.default);
        }
        std::iter::once(&self.default)
            .chain(&self.others)
            .find(|provider| provider.name() == name)
    }
}
