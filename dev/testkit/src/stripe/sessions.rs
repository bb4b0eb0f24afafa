//! `POST /v1/checkout/sessions`, its retrieval and its expiry.

use super::books::{Books, Session};
use super::request::{Params, StripeError};
use super::{unix_now, write};
use serde_json::Value;

const LIFE_MIN_SECS: i64 = 30 * 60;
const LIFE_MAX_SECS: i64 = 24 * 60 * 60;
const AMOUNT_MIN: i64 = 50;
const AMOUNT_MAX: i64 = 99_999_999;
const NOT_TAKEN: [&str; 2] = ["iqd", "lyd"];
const IN_TENS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
const IN_HUNDREDS: [&str; 2] = ["isk", "ugx"];

impl Books {
    pub fn create_session(&mut self, mut params: Params) -> Result<Value, StripeError> {
        let price = "line_items[0][price_data]";
        let mode = params.need("mode")?;
        if mode != "payment" {
            return Err(StripeError::param("parameter_invalid", "mode", "Not here."));
        }
        let currency = params.need(&format!("{price}[currency]"))?;
        let unit = params.number(&format!("{price}[unit_amount]"))?;
        let quantity = params.number("line_items[0][quantity]")?.unwrap_or(1);
        let amount = unit.unwrap_or(0) * quantity;
        check_amount(&currency, amount)?;
        params.need(&format!("{price}[product_data][name]"))?;
        let now = unix_now();
        let expires_at = params.number("expires_at")?.unwrap_or(now + LIFE_MAX_SECS);
        check_expiry(expires_at - now)?;
        params.take("adaptive_pricing[enabled]");
        params.take("locale");
        let session = Session {
            created: now,
            expires_at,
            status: "open",
            payment_status: "unpaid",
            amount,
            currency,
            client_reference_id: params.take("client_reference_id"),
            success_url: params.need("success_url")?,
            cancel_url: params.take("cancel_url"),
            metadata: params.take_map("metadata"),
            intent_metadata: params.take_map("payment_intent_data[metadata]"),
            description: params.take("payment_intent_data[description]"),
            intent: None,
            id: self.id("cs_test"),
        };
        params.end()?;
        let object = write::session(&session, false);
        self.sessions.push(session);
        Ok(object)
    }

    pub fn show_session(&mut self, id: &str, mut params: Params) -> Result<Value, StripeError> {
        let expand = params.take("expand[]");
        params.end()?;
        if expand
            .as_deref()
            .is_some_and(|field| field != "payment_intent")
        {
            let message = "This property cannot be expanded.";
            return Err(StripeError::invalid(None, message));
        }
        let over = |session: &Session| session.status == "open" && session.expires_at <= unix_now();
        if self.session(id).is_some_and(over) {
            // By itself, as at Stripe: its page says so already.
            let _ = self.lapse(id);
        }
        let session = self.session(id);
        let session = session.ok_or_else(|| StripeError::missing("checkout.session", id))?;
        Ok(write::session(session, expand.is_some()))
    }

    pub fn expire_session(&mut self, id: &str, params: Params) -> Result<Value, StripeError> {
        params.end()?;
        let session = self.session(id);
        let session = session.ok_or_else(|| StripeError::missing("checkout.session", id))?;
        if session.status != "open" {
            let message = format!(
                "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of `{}`.",
                session.status
            );
            return Err(StripeError::invalid(None, message));
        }
        let _ = self.lapse(id);
        self.show_session(id, Params::read(b""))
    }
}

/// <https://docs.stripe.com/currencies>
pub(super) fn check_amount(currency: &str, amount: i64) -> Result<(), StripeError> {
    let wrong = |code, message| Err(StripeError::param(code, "amount", message));
    let is_code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_code || NOT_TAKEN.contains(&currency) {
        let message = format!("Invalid currency: {currency}");
        return Err(StripeError::param("parameter_invalid", "currency", message));
    }
    if amount < AMOUNT_MIN {
        return wrong("amount_too_small", "The amount is too small.");
    }
    if amount > AMOUNT_MAX {
        return wrong("amount_too_large", "The amount is too large.");
    }
    check_step(currency, amount)
}

pub(super) fn check_step(currency: &str, amount: i64) -> Result<(), StripeError> {
    let step = match currency {
        currency if IN_TENS.contains(&currency) => 10,
        currency if IN_HUNDREDS.contains(&currency) => 100,
        _ => 1,
    };
    if amount % step == 0 {
        return Ok(());
    }
    let message = format!("Amounts of {currency} must be divisible by {step}.");
    Err(StripeError::param(
        "invalid_charge_amount",
        "amount",
        message,
    ))
}

fn check_expiry(life_secs: i64) -> Result<(), StripeError> {
    let message = if life_secs < LIFE_MIN_SECS {
        "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
    } else if life_secs > LIFE_MAX_SECS {
        "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."
    } else {
        return Ok(());
    };
    Err(StripeError::param(
        "parameter_invalid",
        "expires_at",
        message,
    ))
}
