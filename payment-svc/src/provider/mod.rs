//! Payment providers. Each is asked for a payment by a deterministic key, asked for the truth about
//! it, told to close it or to send its money back, and reports by signed webhooks. No transaction is
//! open across any of these.

pub(crate) mod manual;
pub(crate) mod sandbox;
mod signature;
pub(crate) mod stripe;

use std::{collections::HashMap, sync::Arc, time::Duration};

use base::{Money, OrderId, RefundId, Sources};
use futures::future::BoxFuture;
use time::OffsetDateTime;

use crate::{
    config::{Config, ProviderName},
    store::OrderRow,
};
pub use signature::WebhookSecrets;

/// One call to a provider may take this long.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// What a provider can do beyond taking money.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capabilities {
    /// It can be asked how a payment stands; otherwise a person says so.
    pub tells_truth: bool,
    /// It sends money back when told to; otherwise a person does.
    pub refunds: bool,
    /// Another amount than was asked for may arrive: less waits for the rest, more is refunded.
    /// Elsewhere a difference is a mismatch.
    pub may_differ: bool,
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
    /// Where the guest pays; empty where there is no page.
    pub url: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaymentStatus {
    Open,
    /// The last try was refused; the payment itself still takes another one until it is closed.
    Declined,
    /// The guest has done their part, the outcome is not known yet.
    Pending,
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
    /// What arrived, once it is paid; what was asked for until then.
    pub amount_minor: i64,
    pub currency: String,
    /// The provider's name of the money itself, where it has one beside the reference.
    pub capture: Option<String>,
    /// Everything that was sent back, whoever asked for it.
    pub refunds: Vec<SeenRefund>,
}

/// A refund in the provider's books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenRefund {
    /// The provider's own name for it.
    pub reference: String,
    /// The payment's reference, as in `Checkout`.
    pub payment: String,
    /// Ours, if this installation asked for it.
    pub key: Option<String>,
    pub amount_minor: i64,
    pub currency: String,
    pub state: RefundState,
}

/// Money to send back, as a provider needs to know it.
#[derive(Clone, Debug)]
pub(crate) struct RefundRequest {
    pub refund: RefundId,
    /// The same key is the same refund, however often it is asked for. It begins with the refund's id,
    /// and there is another one after each no.
    pub key: String,
    pub order: OrderId,
    /// The payment's reference, and its `capture`.
    pub payment: String,
    pub capture: Option<String>,
    pub amount: Money,
}

/// What became of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefundState {
    Pending,
    Succeeded,
    /// It did not happen, or it came back. Where `final_` asking again leads nowhere.
    Failed {
        reason: String,
        final_: bool,
    },
}

/// What a provider says about a refund when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundTruth {
    /// The provider's own name for it; none where it refused to make one.
    pub reference: Option<String>,
    pub state: RefundState,
}

/// How a payment stands after it was told to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Nobody can pay by it any more.
    Closed,
    /// Too late: the money had arrived.
    Paid,
    /// It cannot be closed while its outcome is unknown.
    Pending,
}

/// A webhook whose signature was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProviderEvent {
    /// The provider's id of the event; a repeated delivery has the same.
    pub id: String,
    pub kind: String,
    pub subject: Subject,
}

/// What an event is about. The provider is asked for the truth about it; amounts are compared as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `reference` or `capture` of a payment; amount and currency where the event has them.
    Payment {
        reference: String,
        amount: Option<(i64, String)>,
    },
    /// Money that was sent back; `payment` is the reference or the capture of its payment.
    Refund { payment: String },
    /// Nothing of ours; stored all the same.
    Nothing,
}

/// Everything but a refusal leaves the outcome unknown; the same call with the same key may be repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// It said no, and will say so again: nothing happened.
    #[error("the provider refused: {0}")]
    Refused(String),
    #[error("the provider could not be reached: {0}")]
    Unreachable(String),
    /// This provider has no such operation; see `Capabilities`.
    #[error("the provider does not do that")]
    Cannot,
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

    /// For guests who choose.
    fn title(&self) -> &'static str;

    /// Decides at ticket-svc how long the guest has: `sandbox`, `stripe`, `manual`.
    fn kind(&self) -> &'static str;

    fn capabilities(&self) -> Capabilities;

    /// Insert-or-find by the request's key.
    fn create<'a>(&'a self, request: &'a PaymentRequest) -> Call<'a, Checkout>;

    fn fetch<'a>(&'a self, reference: &'a str) -> Call<'a, Truth>;

    /// Idempotent; answers how it stands now.
    fn close<'a>(&'a self, reference: &'a str) -> Call<'a, Closing>;

    /// Insert-or-find by the request's key. A refusal is a state of the answer, not an error.
    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Call<'a, RefundTruth>;

    fn fetch_refund<'a>(&'a self, reference: &'a str) -> Call<'a, RefundTruth>;

    /// Every refund made at or after a time, whoever asked for it: what webhooks did not tell. It may
    /// take many pages, each of which the provider bounds itself.
    fn refunds_since(&self, since: OffsetDateTime) -> Call<'_, Vec<SeenRefund>>;

    /// Where to pay to where there is no page, as the settings say it; empty elsewhere.
    fn payee(&self) -> &str {
        ""
    }

    /// How to pay where there is no page; empty elsewhere.
    fn instructions(&self, reference: &str, amount: Money) -> String;

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
    pub fn new(config: &Config, sandbox: &Arc<sandbox::Sandbox>, sources: &Sources) -> Self {
        let stripe = Arc::new(stripe::Stripe::new(config, sources.clone()));
        let manual = Arc::new(manual::Manual::new(config));
        let provider = |name: &ProviderName| match name {
            ProviderName::Sandbox => sandbox.clone() as Arc<dyn Provider>,
            ProviderName::Stripe => stripe.clone() as Arc<dyn Provider>,
            ProviderName::Manual => manual.clone() as Arc<dyn Provider>,
        };
        let mut enabled = config.payment_providers.iter().map(provider);
        Self {
            default: enabled
                .next()
                .expect("the setting has a default and parses to one or more"),
            others: enabled.collect(),
        }
    }

    /// Every enabled one, the default first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        std::iter::once(&self.default).chain(&self.others)
    }

    /// An empty name means the default; none if the provider is not enabled.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        if name.is_empty() {
            return Some(&self.default);
        }
        self.all().find(|provider| provider.name() == name)
    }

    /// What an order may be paid with: what its event takes. A bank transfer needs days, which only an
    /// order has that was bound with it.
    pub fn for_order<'a>(
        &'a self,
        order: &'a OrderRow,
    ) -> impl Iterator<Item = &'a Arc<dyn Provider>> {
        let has_days = order.provider == manual::NAME;
        self.for_event(&order.event_providers)
            .filter(move |provider| has_days || provider.kind() != manual::NAME)
    }

    /// The enabled ones that an event takes, in its order. An event without a choice takes any.
    fn for_event<'a>(&'a self, kinds: &'a [String]) -> impl Iterator<Item = &'a Arc<dyn Provider>> {
        let any = self.all().filter(|_| kinds.is_empty());
        let chosen = kinds
            .iter()
            .filter_map(|kind| self.all().find(|provider| provider.kind() == kind));
        any.chain(chosen)
    }
}
