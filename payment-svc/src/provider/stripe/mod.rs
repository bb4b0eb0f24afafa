//! Stripe: Checkout Sessions on Stripe's own page, Refunds, signed webhooks. A payment is known by its
//! session, the money by its payment intent.

mod amount;
mod checkout;
mod client;
mod event;
#[cfg(test)]
mod localstripe;
mod objects;
mod refunds;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use base::{Money, Sources};
use time::OffsetDateTime;

use super::{
    Call, Capabilities, Checkout, Closing, PaymentRequest, Provider, ProviderEvent, RefundRequest,
    RefundTruth, SeenRefund, Truth, WebhookRejected, WebhookSecrets,
};
use crate::config::Config;
use client::Client;

const SIGNATURE_HEADER: &str = "stripe-signature";

pub(crate) struct Stripe {
    client: Client,
    secrets: Option<WebhookSecrets>,
    sources: Sources,
}

impl Stripe {
    /// Also made where it is not enabled, so that nothing is asked of the settings here.
    pub fn new(config: &Config, sources: Sources) -> Self {
        Self {
            client: Client::new(&config.stripe),
            secrets: config.stripe.stripe_webhook_secret.clone(),
            sources,
        }
    }
}

impl Provider for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn title(&self) -> &'static str {
        "Card"
    }

    fn kind(&self) -> &'static str {
        "stripe"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            tells_truth: true,
            refunds: true,
            may_differ: false,
        }
    }

    fn create<'a>(&'a self, request: &'a PaymentRequest) -> Call<'a, Checkout> {
        Box::pin(checkout::create(&self.client, request))
    }

    fn fetch<'a>(&'a self, reference: &'a str) -> Call<'a, Truth> {
        Box::pin(checkout::fetch(&self.client, reference))
    }

    fn close<'a>(&'a self, reference: &'a str) -> Call<'a, Closing> {
        Box::pin(checkout::close(&self.client, reference))
    }

    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Call<'a, RefundTruth> {
        Box::pin(refunds::refund(&self.client, request))
    }

    fn fetch_refund<'a>(&'a self, reference: &'a str) -> Call<'a, RefundTruth> {
        Box::pin(refunds::fetch(&self.client, reference))
    }

    fn refunds_since(&self, since: OffsetDateTime) -> Call<'_, Vec<SeenRefund>> {
        Box::pin(refunds::since(&self.client, since))
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
        let secrets = self.secrets.as_ref().ok_or(WebhookRejected)?;
        if !secrets.verify(header, body, self.sources.now()) {
            return Err(WebhookRejected);
        }
        event::read(body).ok_or(WebhookRejected)
    }
}
