//! `/v1/refunds`.

use super::books::{Books, Refund, RefundFate};
use super::request::{Params, StripeError};
use super::sessions::check_step;
use super::{unix_now, write};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Books {
    pub fn create_refund(&mut self, mut params: Params) -> Result<Value, StripeError> {
        let intent = params.need("payment_intent")?;
        let amount = params.number("amount")?;
        let metadata = params.take_map("metadata");
        params.take("reason");
        params.end()?;
        let id = self.refund(&intent, amount, metadata)?;
        self.show_refund(&id)
    }

    pub fn show_refund(&self, id: &str) -> Result<Value, StripeError> {
        let refund = self.refunds.iter().find(|refund| refund.id == id);
        let refund = refund.ok_or_else(|| StripeError::missing("refund", id))?;
        Ok(write::refund(refund))
    }

    /// Newest first, page by page.
    pub fn list_refunds(&self, mut params: Params) -> Result<Value, StripeError> {
        let intent = params.take("payment_intent");
        let since = params.number("created[gte]")?;
        let after = params.take("starting_after");
        let limit = params.number("limit")?.unwrap_or(10);
        params.end()?;
        if !(1..=100).contains(&limit) {
            let message = "This value must be between 1 and 100.";
            return Err(StripeError::param("parameter_invalid", "limit", message));
        }
        if let Some(intent) = &intent
            && self.session_of(intent).is_none()
        {
            return Err(StripeError::missing("payment_intent", intent));
        }
        let mut matching: Vec<&Refund> = self
            .refunds
            .iter()
            .rev()
            .filter(|refund| {
                intent
                    .as_ref()
                    .is_none_or(|intent| refund.intent == *intent)
            })
            .filter(|refund| since.is_none_or(|since| refund.created >= since))
            .collect();
        if let Some(after) = after {
            let at = matching.iter().position(|refund| refund.id == after);
            let at = at.ok_or_else(|| StripeError::missing("refund", &after))?;
            matching.drain(..=at);
        }
        let limit = usize::try_from(limit).unwrap_or(100);
        let page: Vec<Value> = matching
            .iter()
            .take(limit)
            .map(|r| write::refund(r))
            .collect();
        let has_more = matching.len() > limit;
        Ok(json!({ "object": "list", "url": "/v1/refunds", "has_more": has_more, "data": page }))
    }

    /// Never more than arrived.
    pub fn refund(
        &mut self,
        intent_id: &str,
        amount: Option<i64>,
        metadata: BTreeMap<String, String>,
    ) -> Result<String, StripeError> {
        let missing = || StripeError::missing("payment_intent", intent_id);
        let session = self.session_of(intent_id).ok_or_else(missing)?;
        let intent = session.intent.as_ref().ok_or_else(missing)?;
        let Some(charge) = intent.charge.clone() else {
            let message = format!(
                "This PaymentIntent ({intent_id}) does not have a successful charge to refund."
            );
            return Err(StripeError::invalid(None, message));
        };
        let (currency, received) = (session.currency.clone(), intent.received);
        let left = received - self.refunded(intent_id);
        if left == 0 {
            let message = format!("Charge {charge} has already been refunded.");
            let code = Some("charge_already_refunded");
            return Err(StripeError::invalid(code, message));
        }
        let amount = amount.unwrap_or(left);
        if amount < 1 {
            let message = "This value must be greater than or equal to 1.";
            let code = "parameter_invalid_integer";
            return Err(StripeError::param(code, "amount", message));
        }
        check_step(&currency, amount)?;
        if amount > left {
            // Without a code, as at Stripe.
            let message = format!(
                "Refund amount ({amount} {currency}) is greater than unrefunded amount on charge ({left} {currency})"
            );
            return Err(StripeError {
                param: Some("amount".to_owned()),
                ..StripeError::invalid(None, message)
            });
        }
        if self.fate == RefundFate::IsRefused {
            let message = "Your account balance is too low for this refund.";
            return Err(StripeError::invalid(
                Some("balance_insufficient"),
                message.to_owned(),
            ));
        }
        let id = self.id("re");
        let (status, failure_reason) = match self.fate {
            RefundFate::Succeeds => ("succeeded", None),
            RefundFate::StaysPending => ("pending", None),
            RefundFate::LacksFunds => ("failed", Some("insufficient_funds")),
            RefundFate::Fails | RefundFate::IsRefused => ("failed", Some("lost_or_stolen_card")),
        };
        self.refunds.push(Refund {
            id: id.clone(),
            created: unix_now(),
            intent: intent_id.to_owned(),
            charge,
            amount,
            currency,
            status,
            failure_reason,
            metadata,
        });
        self.say_refund(&id);
        Ok(id)
    }

    fn say_refund(&mut self, id: &str) {
        let Some(refund) = self.refunds.iter().find(|refund| refund.id == id) else {
            return;
        };
        let object = write::refund(refund);
        let failed = refund.status == "failed";
        let session = self.session_of(&refund.intent);
        let paid = session.and_then(|session| Some((session, session.intent.as_ref()?)));
        let charge =
            paid.map(|(session, intent)| write::charge(session, intent, self.refunded(&intent.id)));
        self.said.push(("refund.created", object.clone()));
        if failed {
            self.said.push(("refund.failed", object));
        } else {
            self.said
                .extend(charge.map(|charge| ("charge.refunded", charge)));
        }
    }
}
