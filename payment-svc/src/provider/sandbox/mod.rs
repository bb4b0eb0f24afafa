//! The built-in provider: a hosted page with test cards. To the rest of the service it is as foreign
//! as a real one: it has books of its own and reports by signed webhooks over HTTP.

mod books;
mod card;
pub(crate) mod deliver;
mod event;
mod page;
mod signature;

use std::{collections::HashMap, sync::Arc};

use base::Sources;
use db::Db;
use tokio::sync::Notify;

use super::{
    Call, Capabilities, Checkout, Closing, PaymentRequest, Provider, ProviderEvent, Truth,
    WebhookRejected,
};
use crate::config::{Config, PublicUrl};
pub(crate) use page::Card;
pub use signature::WebhookSecrets;

pub(crate) struct Sandbox {
    db: Db,
    sources: Sources,
    secrets: WebhookSecrets,
    public_url: PublicUrl,
    webhook_url: String,
    /// Wakes the delivery of webhooks.
    nudge: Arc<Notify>,
}

impl Sandbox {
    pub fn new(config: &Config, db: Db, sources: Sources) -> Self {
        let hook = config.sandbox_webhook_url.as_ref().map(ToString::to_string);
        Self {
            db,
            sources,
            secrets: config.sandbox_webhook_secret.clone(),
            public_url: config.public_url.clone(),
            webhook_url: hook.unwrap_or_else(|| config.public_url.at("/api/v1/webhooks/sandbox")),
            nudge: Arc::default(),
        }
    }

    fn page_url(&self, reference: &str) -> String {
        self.public_url.at(&format!("/pay/sandbox/{reference}"))
    }
}

impl Provider for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn kind(&self) -> &'static str {
        "sandbox"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { tells_truth: true }
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

    fn verify_webhook(
        &self,
        body: &[u8],
        headers: &HashMap<String, String>,
    ) -> Result<ProviderEvent, WebhookRejected> {
        let header = headers.get(signature::HEADER).ok_or(WebhookRejected)?;
        if !self.secrets.verify(header, body, self.sources.now()) {
            return Err(WebhookRejected);
        }
        event::read(body).ok_or(WebhookRejected)
    }
}
