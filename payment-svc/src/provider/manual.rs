//! Bank transfer, or cash at the desk: the guest gets a reference, an admin confirms what arrived.
//! Nobody else knows of these payments, so there is nothing to ask and nobody to tell.

use std::collections::HashMap;

use base::{Money, digest};
use time::OffsetDateTime;

use super::{
    Call, Capabilities, Checkout, Closing, PaymentRequest, Provider, ProviderError, ProviderEvent,
    RefundRequest, RefundTruth, SeenRefund, Truth, WebhookRejected,
};
use crate::{config::Config, domain::order_number::order_number};

pub(crate) const NAME: &str = "manual";
/// Letters and digits that nobody mixes up, as in the number of an order.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SUFFIX_DIGITS: usize = 6;

pub(crate) struct Manual {
    instructions: String,
}

impl Manual {
    pub fn new(config: &Config) -> Self {
        Self {
            instructions: config.manual_payment_instructions.clone(),
        }
    }
}

/// What a guest writes on the transfer: the order's number, and a few characters of the attempt, so
/// that two attempts of an order are told apart, and two orders that share a number.
fn reference(request: &PaymentRequest) -> String {
    let hash = digest(request.key.as_bytes());
    let digits = hash[..SUFFIX_DIGITS]
        .iter()
        .map(|byte| char::from(DIGITS[usize::from(byte % 32)]));
    let suffix: String = digits.collect();
    format!("{}-{suffix}", order_number(request.order.uuid()))
}

impl Provider for Manual {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Bank transfer"
    }

    fn kind(&self) -> &'static str {
        "manual"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            tells_truth: false,
            refunds: false,
            may_differ: true,
        }
    }

    fn create<'a>(&'a self, request: &'a PaymentRequest) -> Call<'a, Checkout> {
        Box::pin(async {
            Ok(Checkout {
                reference: reference(request),
                url: String::new(),
            })
        })
    }

    fn fetch<'a>(&'a self, _reference: &'a str) -> Call<'a, Truth> {
        Box::pin(async { Err(ProviderError::Cannot) })
    }

    /// Money that is transferred all the same is a late payment, once a person confirms it.
    fn close<'a>(&'a self, _reference: &'a str) -> Call<'a, Closing> {
        Box::pin(async { Ok(Closing::Closed) })
    }

    fn refund<'a>(&'a self, _request: &'a RefundRequest) -> Call<'a, RefundTruth> {
        Box::pin(async { Err(ProviderError::Cannot) })
    }

    fn fetch_refund<'a>(&'a self, _reference: &'a str) -> Call<'a, RefundTruth> {
        Box::pin(async { Err(ProviderError::Cannot) })
    }

    fn refunds_since(&self, _since: OffsetDateTime) -> Call<'_, Vec<SeenRefund>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn payee(&self) -> &str {
        self.instructions.trim_end()
    }

    fn instructions(&self, reference: &str, amount: Money) -> String {
        format!("{}\nAmount: {amount}\nReference: {reference}", self.payee())
    }

    fn verify_webhook(
        &self,
        _body: &[u8],
        _headers: &HashMap<String, String>,
    ) -> Result<ProviderEvent, WebhookRejected> {
        Err(WebhookRejected)
    }
}

#[cfg(test)]
mod tests {
    use base::{Currency, OrderId};
    use uuid::Uuid;

    use super::*;

    fn request(key: &str, order: u128) -> PaymentRequest {
        PaymentRequest {
            key: key.to_owned(),
            order: OrderId::from(Uuid::from_u128(order)),
            amount: Money::new(9000, Currency::EUR),
            description: "Late Show".to_owned(),
            return_url: "https://shop.example/orders/1".to_owned(),
            deadline: time::macros::datetime!(2026-06-12 18:00 UTC),
        }
    }

    #[test]
    fn the_same_key_is_the_same_reference() {
        let first = reference(&request("one", 33));
        assert_eq!(first, reference(&request("one", 33)));
        assert!(first.starts_with("BX-0000000011-"), "{first}");
        assert_eq!(first.len(), 20);
        assert_ne!(first, reference(&request("two", 33)));
        // Another order with the same number.
        assert_ne!(first, reference(&request("three", 33 + (1 << 50))));
    }

    #[test]
    fn the_guest_is_told_everything() {
        let manual = Manual {
            instructions: "Boxoffice GmbH\nDE89 3704 0044 0532 0130 00\n".to_owned(),
        };
        let told = manual.instructions("BX-1-2", Money::new(5, "JPY".parse().unwrap()));
        let expected =
            "Boxoffice GmbH\nDE89 3704 0044 0532 0130 00\nAmount: 5 JPY\nReference: BX-1-2";
        assert_eq!(told, expected);
    }
}
